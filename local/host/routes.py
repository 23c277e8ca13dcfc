"""Route templates as ASP.NET Core reads them: `agents/{id}`, `{id:int}`, `{page?}`, `{kind=all}`, `files/{*path}`.

Literals are matched without regard to case and win over parameters, constrained parameters over free ones, and both
over a catch-all.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from local.host.errors import StartupError
from local.host.indexing import Function, HttpTrigger

ALL_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")

_PARAMETER = re.compile(
    r"""\{
    (?P<stars> \*{0,2}) (?P<name> \w+)
    (?P<constraints> (?: :[^{}=?]+ )?) (?: =(?P<default> [^{}]* ) )? (?P<optional> \??)
    \}""",
    re.VERBOSE,
)
_SLASH = re.compile("(%2[Ff])")


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
        constraints = []
        for each in found["constraints"].split(":")[1:]:
            kind, _, bounds = each.removesuffix(")").partition("(")
            if kind not in _CONSTRAINTS:
                raise StartupError(f"unknown route constraint {kind}")
            constraints.append((kind, bounds))
        return cls(
            name=found["name"],
            constraints=tuple(constraints),
            default=found["default"],
            optional=bool(found["optional"]),
            catch_all=bool(found["stars"]),
        )

    @property
    def can_be_absent(self) -> bool:
        return self.optional or self.catch_all or self.default is not None

    def accepts(self, text: str) -> bool:
        return all(_CONSTRAINTS[kind](text, bounds) for kind, bounds in self.constraints)


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A segment with parameters: one alone, or several with literal text around them (`{name}.{extension}`)."""

    expression: re.Pattern[str]
    parameters: tuple[_Parameter, ...]

    @property
    def rank(self) -> int:
        """The order in which patterns of one place are tried."""
        if self.parameters[0].catch_all:
            return 3
        alone = self.expression.pattern == f"(?P<{self.parameters[0].name}>.+)"
        return 2 if alone and not self.parameters[0].constraints else 1

    def match(self, text: str) -> dict[str, str] | None:
        found = self.expression.fullmatch(text)
        if found is None or not all(each.accepts(found[each.name]) for each in self.parameters):
            return None
        return found.groupdict()


@dataclass(slots=True)
class _Node:
    """What can follow a beginning of a path."""

    literals: dict[str, "_Node"] = field(default_factory=dict)
    patterns: list[tuple[_Pattern, "_Node"]] = field(default_factory=list)
    functions: dict[str, Function] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    function: Function
    route_params: dict[str, str]


class Router:
    """Raises `StartupError` for templates that cannot be read and for two functions on one route and method."""

    def __init__(self, functions: Sequence[Function], prefix: str) -> None:
        self._root = _Node()
        for function in functions:
            if isinstance(function.trigger, HttpTrigger) and function.enabled:
                try:
                    self._add(function, f"{prefix}/{function.trigger.route}".strip("/"))
                except StartupError as error:
                    raise StartupError(f"function {function.name}: {error}") from error

    def match(self, path: str, method: str) -> Match | frozenset[str]:
        """The function for a raw (percent-encoded) path, or the methods it has instead: none for an unknown path."""
        segments = [_decode(segment) for segment in path.strip("/").split("/")] if path.strip("/") else []
        allowed: set[str] = set()
        for node, route_params in _walk(self._root, segments, 0):
            function = node.functions.get(method)
            if function is not None:
                return Match(function, node.defaults | route_params)
            allowed.update(node.functions)
        return frozenset(allowed)

    def _add(self, function: Function, template: str) -> None:
        if template.partition("/")[0].lower() in {"admin", "runtime"}:
            raise StartupError(f"the route {template} begins with what belongs to the platform")
        trigger = function.trigger
        methods = (trigger.methods if isinstance(trigger, HttpTrigger) else ()) or ALL_METHODS
        node = self._root
        segments = [_segment(text) for text in template.split("/")] if template else []
        for position, segment in enumerate(segments):
            if isinstance(segment, _Pattern) and _can_be_absent(segments[position:]):
                self._register(node, function, methods, template, defaults=_defaults(segments[position:]))
            node = _child(node, segment)
        self._register(node, function, methods, template, defaults={})

    @staticmethod
    def _register(
        node: _Node, function: Function, methods: Sequence[str], template: str, *, defaults: dict[str, str]
    ) -> None:
        node.defaults |= defaults
        for method in methods:
            other = node.functions.setdefault(method, function)
            if other is not function:
                raise StartupError(f"{method} {template} is taken by {other.name}")


def _decode(segment: str) -> str:
    """Percent-decoding as the platform does it: an encoded slash stays encoded."""
    if "%" not in segment:
        return segment
    return "".join(part if _SLASH.fullmatch(part) else unquote(part) for part in _SLASH.split(segment))


def _segment(text: str) -> str | _Pattern:
    parameters: list[_Parameter] = []
    expression = ""
    end = 0
    for found in _PARAMETER.finditer(text):
        parameters.append(_Parameter.parse(found))
        expression += re.escape(text[end : found.start()]) + f"(?P<{found['name']}>.+)"
        end = found.end()
    rest = re.escape(text[end:])
    if "{" in rest or "}" in rest:
        raise StartupError(f"the route segment {text} cannot be read")
    if not parameters:
        return text.lower()
    return _Pattern(re.compile(expression + rest, re.IGNORECASE | re.DOTALL), tuple(parameters))


def _child(node: _Node, segment: str | _Pattern) -> _Node:
    if isinstance(segment, str):
        return node.literals.setdefault(segment, _Node())
    for pattern, child in node.patterns:
        if pattern == segment:
            return child
    child = _Node()
    node.patterns.append((segment, child))
    node.patterns.sort(key=lambda entry: entry[0].rank)
    return child


def _can_be_absent(segments: Sequence[str | _Pattern]) -> bool:
    return all(
        isinstance(segment, _Pattern) and len(segment.parameters) == 1 and segment.parameters[0].can_be_absent
        for segment in segments
    )


def _defaults(segments: Sequence[str | _Pattern]) -> dict[str, str]:
    return {
        parameter.name: parameter.default
        for segment in segments
        if isinstance(segment, _Pattern)
        for parameter in segment.parameters
        if parameter.default is not None
    }


def _walk(node: _Node, segments: Sequence[str], position: int) -> Iterator[tuple[_Node, dict[str, str]]]:
    """The places that a path can lead to, the best first."""
    if position == len(segments):
        if node.functions:
            yield node, {}
        return
    literal = node.literals.get(segments[position].lower())
    if literal is not None:
        yield from _walk(literal, segments, position + 1)
    for pattern, child in node.patterns:
        catch_all = pattern.parameters[0].catch_all
        route_params = pattern.match("/".join(segments[position:]) if catch_all else segments[position])
        if route_params is not None:
            for found, further in _walk(child, segments, len(segments) if catch_all else position + 1):
                yield found, route_params | further
