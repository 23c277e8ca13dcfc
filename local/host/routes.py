"""Routes as the platform matches them: in the order of function names, and the first match wins.

Templates are those of ASP.NET Core: `agents/{id}`, `{id:int}`, `{page?}`, `{kind=all}`, `files/{*path}`. Literals match
without regard to case. A literal segment does not win over a parameter: where both match, the names decide.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from local.host.errors import StartupError
from local.host.indexing import Function, HttpTrigger

RESERVED = ("admin", "runtime")
"""What no route may begin with: the platform compares letters, not segments, so `administrators` is refused too."""

_REMEMBERED = 1024
"""Paths with the functions that were found for them: most requests have one of a few."""
_LONGEST_REMEMBERED = 256

_PARAMETER = re.compile(
    r"""\{
    (?P<catch_all> \*{0,2}) (?P<name> \w+)
    (?P<constraints> (?: : \w+ (?: \( [^(){}]* \) )? )*)
    (?: = (?P<default> [^{}]* ) )? (?P<optional> \??)
    \}""",
    re.VERBOSE,
)
_CONSTRAINT = re.compile(r":(?P<kind>\w+)(?:\((?P<bounds>[^(){}]*)\))?")


def _has_length(text: str, bounds: str) -> bool:
    shortest, _, longest = bounds.partition(",")
    return int(shortest) <= len(text) <= int(longest or shortest)


def _is_integer(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+", text, re.ASCII) is not None


def _is_within(text: str, bounds: str) -> bool:
    lowest, _, highest = bounds.partition(",")
    return _is_integer(text) and int(lowest) <= int(text) <= int(highest)


_CONSTRAINTS: dict[str, Callable[[str, str], bool]] = {
    "int": lambda text, _: _is_integer(text) and -(2**31) <= int(text) < 2**31,
    "long": lambda text, _: _is_integer(text) and -(2**63) <= int(text) < 2**63,
    "bool": lambda text, _: text.lower() in {"true", "false"},
    "guid": lambda text, _: re.fullmatch(r"(?i)\{?[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\}?", text) is not None,
    "alpha": lambda text, _: re.fullmatch(r"[A-Za-z]*", text) is not None,
    "decimal": lambda text, _: re.fullmatch(r"[+-]?\d+(\.\d+)?", text, re.ASCII) is not None,
    "length": _has_length,
    "minlength": lambda text, bound: len(text) >= int(bound),
    "maxlength": lambda text, bound: len(text) <= int(bound),
    "min": lambda text, bound: _is_integer(text) and int(text) >= int(bound),
    "max": lambda text, bound: _is_integer(text) and int(text) <= int(bound),
    "range": _is_within,
    "regex": lambda text, pattern: re.search(pattern, text, re.IGNORECASE) is not None,
    "required": lambda text, _: text != "",
}


@dataclass(frozen=True, slots=True)
class _Parameter:
    name: str
    constraints: tuple[tuple[str, str], ...]
    default: str | None
    optional: bool
    catch_all: bool

    @classmethod
    def parse(cls, found: re.Match[str]) -> "_Parameter":
        constraints = [(each["kind"], each["bounds"] or "") for each in _CONSTRAINT.finditer(found["constraints"])]
        for kind, _ in constraints:
            if kind not in _CONSTRAINTS:
                raise StartupError(f"unknown route constraint {kind}")
        return cls(
            name=found["name"],
            constraints=tuple(constraints),
            default=found["default"],
            optional=bool(found["optional"]),
            catch_all=bool(found["catch_all"]),
        )

    @property
    def can_be_absent(self) -> bool:
        return self.optional or self.catch_all or self.default is not None

    def accepts(self, text: str) -> bool:
        return all(_CONSTRAINTS[kind](text, bounds) for kind, bounds in self.constraints)


class _Template:
    """A route template, compiled to one regular expression over whole paths."""

    def __init__(self, text: str) -> None:
        """Raises `StartupError` for a template that cannot be read."""
        self.parameters: list[_Parameter] = []
        segments = [self._segment(segment) for segment in text.split("/")] if text else []
        self._expression = re.compile("".join(segments) + "/?", re.IGNORECASE | re.DOTALL)

    def match(self, path: str) -> dict[str, str] | None:
        """The route values of a decoded path, which begins with a slash.

        None where it does not match.
        """
        found = self._expression.fullmatch(path)
        if found is None:
            return None
        values: dict[str, str] = {}
        for parameter in self.parameters:
            value = found[parameter.name] or parameter.default
            if value and not parameter.accepts(value):
                return None
            if value:
                values[parameter.name] = value
        return values

    def _segment(self, text: str) -> str:
        """Its expression: literal text, one parameter, or both mixed (`{name}.{extension}`)."""
        expression, end = "", 0
        for found in _PARAMETER.finditer(text):
            parameter = _Parameter.parse(found)
            self.parameters.append(parameter)
            values = ".*" if parameter.catch_all else "[^/]+"
            expression += re.escape(text[end : found.start()]) + f"(?P<{parameter.name}>{values})"
            end = found.end()
        rest = re.escape(text[end:])
        if "{" in rest or "}" in rest:
            raise StartupError(f"the route segment {text} cannot be read")
        is_one_parameter = end == len(text) and _PARAMETER.fullmatch(text) is not None
        if is_one_parameter and self.parameters[-1].can_be_absent:
            return f"(?:/{expression})?"
        return f"/{expression}{rest}"


@dataclass(frozen=True, slots=True)
class _Route:
    function: Function
    text: str
    template: _Template
    methods: frozenset[str]
    """Empty: every method."""

    def takes(self, method: str) -> bool:
        return not self.methods or method in self.methods

    def conflicts_with(self, other: "_Route") -> bool:
        overlap = not self.methods or not other.methods or bool(self.methods & other.methods)
        return overlap and self.text.lower() == other.text.lower()


@dataclass(frozen=True, slots=True)
class Match:
    function: Function
    route_params: Mapping[str, str]


class Router:
    """Finds the function for a request."""

    def __init__(self, functions: Sequence[Function], prefix: str) -> None:
        """Raises `StartupError` for a template that the platform refuses.

        It raises it also for two functions on one route and method.
        """
        self._routes: list[_Route] = []
        for function in sorted(functions, key=lambda function: function.name.upper()):
            if isinstance(function.trigger, HttpTrigger) and function.enabled:
                try:
                    self._add(function, function.trigger, prefix)
                except StartupError as error:
                    raise StartupError(f"function {function.name}: {error}") from error
        methods = {method for route in self._routes for method in route.methods}
        self._by_method = {method: [each for each in self._routes if each.takes(method)] for method in methods}
        self._for_other_methods = [route for route in self._routes if not route.methods]
        self._remembered: Callable[[str, str], Match | None] = lru_cache(_REMEMBERED)(self._find)

    def match(self, path: str, method: str) -> Match | None:
        """The function for a raw (percent-encoded) path.

        The path is decoded first and then split, so an encoded slash is a slash.
        """
        if len(path) > _LONGEST_REMEMBERED:
            return self._find(path, method)
        return self._remembered(path, method)

    def _find(self, path: str, method: str) -> Match | None:
        decoded = unquote(path)
        for route in self._by_method.get(method, self._for_other_methods):
            if (values := route.template.match(decoded)) is not None:
                return Match(route.function, values)
        return None

    def _add(self, function: Function, trigger: HttpTrigger, prefix: str) -> None:
        if trigger.route.lower().startswith(RESERVED):
            raise StartupError(f"the route {trigger.route} begins with what belongs to the platform")
        text = f"{prefix}/{trigger.route}".strip("/")
        route = _Route(function, text, _Template(text), frozenset(trigger.methods))
        for other in self._routes:
            if route.conflicts_with(other):
                raise StartupError(f"the route {text} is taken by {other.function.name}")
        self._routes.append(route)
