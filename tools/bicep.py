"""Reads Bicep and works out which resources it asks for, without the compiler and without Azure.

What only Azure knows (ids, endpoints, what `guid` gives) becomes `Unknown`; everything else is computed: parameters,
variables, loops, conditions, modules. A name that is not declared, a parameter that a module does not have or
misses, an output that does not exist and a value that `@allowed` and its like refuse are errors.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

_PARSER = Parser(Language(tree_sitter_bicep.language()))

Read = Callable[[Path], str]
Value = Any  # what JSON has, and Unknown anywhere inside


class BicepError(Exception):
    """The text is not Bicep, or does not fit together."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that exists at deployment only; `text` says which."""

    text: str


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource as it would be sent. `body` has its `name`, `location`, `properties`, ..., without nulls."""

    symbol: str
    type: str
    api_version: str
    parent_type: str | None
    scope_type: str | None
    """Of an extension resource: what it extends."""
    body: dict[str, Value]
    depends_on: tuple[str, ...]
    """Symbols that it names itself; those that its values refer to are not among them."""
    batch_size: int | None
    """How many of its loop are made at once; None: all."""
    file: Path
    line: int

    @property
    def place(self) -> str:
        return f"{self.file.name}:{self.line} {self.symbol}"

    @property
    def properties(self) -> dict[str, Value]:
        properties: dict[str, Value] = self.body.get("properties", {})
        return properties


def provisioned(main: Path, parameters: Mapping[str, Value], read: Read = Path.read_text) -> list[Resource]:
    """The resources of a deployment with these parameters. Raises `BicepError`."""
    return list(Template(main, read).resources(parameters))


class Template:
    """One file."""

    def __init__(self, path: Path, read: Read = Path.read_text) -> None:
        self.path = path
        self.read = read
        self._root = _parsed(path.name, read(path))

    def resources(self, arguments: Mapping[str, Value]) -> Iterator[Resource]:
        """Those of this file, then those of its modules."""
        return _Evaluation(self, arguments).resources()

    @cached_property
    def parameters(self) -> dict[str, "Parameter"]:
        return {name: Parameter(node) for name, node in self.declared("parameter").items()}

    def declared(self, kind: str) -> dict[str, Node]:
        """The declarations of a kind (`variable`, `resource`, `module`, `output`), by name."""
        return {_name(node): node for node in self._root.named_children if node.type == f"{kind}_declaration"}

    def batch_size(self, symbol: str) -> int | None:
        """Of the loop of a resource or a module: how many are made at once; None: all."""
        decorators = _decorators({**self.declared("resource"), **self.declared("module")}[symbol])
        return int(_text(decorators["batchSize"])) if "batchSize" in decorators else None

    @cached_property
    def identifiers(self) -> list[Node]:
        """Every use of a name that must be declared."""
        return [node for node in _walk(self._root) if node.type == "identifier" and not _is_declaring(node)]


class Parameter:
    def __init__(self, node: Node) -> None:
        self.name = _name(node)
        children = node.named_children
        self.type = _text(children[1])
        self.default = children[2] if len(children) > 2 else None  # noqa: PLR2004  name, type, default
        self.rules = _decorators(node)


class _Evaluation:
    """A template with its arguments."""

    def __init__(self, template: Template, arguments: Mapping[str, Value]) -> None:
        self._template = template
        self._variables = template.declared("variable")
        self._symbols = {**template.declared("resource"), **template.declared("module")}
        self._known: dict[str, Value] = {}
        self._refuse_undeclared()
        self._bind(arguments)

    def resources(self) -> Iterator[Resource]:
        for symbol, node in self._template.declared("resource").items():
            if not any(child.type == "existing" for child in node.children):
                for body in self._bodies(node):
                    yield self._resource(symbol, node, body)
        for symbol, node in self._template.declared("module").items():
            for body in self._bodies(node):
                yield from self._module(symbol).resources(body.get("params", {}))
        for node in self._template.declared("output").values():
            self._value(node.named_children[-1], {})

    def _bodies(self, node: Node) -> Iterator[dict[str, Value]]:
        """None, one or many, by the condition or the loop around the body."""
        for body, names in self._expanded(node.named_children[-1], {}):
            yield self._value(body, names)

    def _expanded(self, node: Node, names: Mapping[str, Value]) -> Iterator[tuple[Node, Mapping[str, Value]]]:
        if node.type == "for_statement":
            for inner in self._iterations(node, names):
                yield from self._expanded(node.named_children[-1], inner)
        elif node.type == "if_statement":
            condition, body = _without_comments(node)
            if self._truth(condition, names):
                yield from self._expanded(body, names)
        else:
            yield node, names

    def _resource(self, symbol: str, node: Node, body: dict[str, Value]) -> Resource:
        type_name, _, version = _text(node.named_children[1]).strip("'").partition("@")
        return Resource(
            symbol=symbol,
            type=type_name,
            api_version=version,
            parent_type=self._type_of(body.pop("parent", None)),
            scope_type=self._type_of(body.pop("scope", None)),
            depends_on=tuple(reference.text for reference in body.pop("dependsOn", [])),
            batch_size=self._template.batch_size(symbol),
            body=body,
            file=self._template.path,
            line=node.start_point.row + 1,
        )

    def _type_of(self, reference: Value) -> str | None:
        if not isinstance(reference, Unknown):
            return None
        return _text(self._symbols[reference.text.partition("[")[0]].named_children[1]).strip("'").partition("@")[0]

    def _module(self, symbol: str) -> Template:
        path = self._template.path.parent / _text(self._symbols[symbol].named_children[1]).strip("'")
        return Template(path, self._template.read)

    def _bind(self, arguments: Mapping[str, Value]) -> None:
        parameters = self._template.parameters
        if unknown := sorted(set(arguments) - set(parameters)):
            raise BicepError(f"{self._template.path.name} has no parameter {', '.join(unknown)}")
        for name, parameter in parameters.items():
            if name in arguments:
                self._known[name] = arguments[name]
            elif parameter.default is not None:
                self._known[name] = self._value(parameter.default, {})
            else:
                raise BicepError(f"{self._template.path.name} needs the parameter {name}")
            self._check(parameter, self._known[name])

    def _check(self, parameter: Parameter, value: Value) -> None:
        if isinstance(value, Unknown):
            return
        types = {"string": str, "int": int, "bool": bool, "object": dict, "array": list}
        if type(value) is not types[parameter.type]:
            raise BicepError(f"{self._template.path.name}: {parameter.name} is not of type {parameter.type}: {value!r}")
        limits = {name: self._value(node, {}) for name, node in parameter.rules.items() if name != "description"}
        size = len(value) if isinstance(value, str) else value
        fits: dict[str, Callable[[Any], bool]] = {
            "allowed": lambda limit: value in limit,
            "minValue": lambda limit: size >= limit,
            "maxValue": lambda limit: size <= limit,
            "minLength": lambda limit: size >= limit,
            "maxLength": lambda limit: size <= limit,
        }
        for rule, limit in limits.items():
            if not fits[rule](limit):
                raise BicepError(f"{self._template.path.name}: {parameter.name} = {value!r} breaks @{rule}({limit!r})")

    def _refuse_undeclared(self) -> None:
        declared = {*self._template.parameters, *self._variables, *self._symbols}
        for node in self._template.identifiers:
            if _text(node) not in declared | _loop_names(node):
                place = f"{self._template.path.name}:{node.start_point.row + 1}"
                raise BicepError(f"{place}: {_text(node)} is not declared")

    def _value(self, node: Node, names: Mapping[str, Value]) -> Value:
        return getattr(self, f"_{node.type}")(node, names)

    def _string(self, node: Node, names: Mapping[str, Value]) -> Value:
        parts = [self._string_part(child, names) for child in node.named_children]
        text = "".join(part.text if isinstance(part, Unknown) else str(part) for part in parts)
        return Unknown(text) if any(isinstance(part, Unknown) for part in parts) else text

    def _string_part(self, node: Node, names: Mapping[str, Value]) -> Value:
        if node.type == "interpolation":
            return self._value(node.named_children[0], names)
        return _text(node).removeprefix("\\") if node.type == "escape_sequence" else _text(node)

    def _number(self, node: Node, _: Mapping[str, Value]) -> int:
        return int(_text(node))

    def _boolean(self, node: Node, _: Mapping[str, Value]) -> bool:
        return _text(node) == "true"

    def _null(self, _: Node, __: Mapping[str, Value]) -> None:
        return None

    def _array(self, node: Node, names: Mapping[str, Value]) -> list[Value]:
        return [self._value(child, names) for child in _without_comments(node)]

    def _object(self, node: Node, names: Mapping[str, Value]) -> dict[str, Value]:
        properties = {}
        for member in _without_comments(node):
            key_node, value_node = member.named_children[0], member.named_children[-1]
            key = _text(key_node) if key_node.type == "identifier" else self._value(key_node, names)
            value = self._value(value_node, names)
            if value is not None:
                properties[key.text if isinstance(key, Unknown) else key] = value
        return properties

    def _for_statement(self, node: Node, names: Mapping[str, Value]) -> list[Value]:
        return [self._value(node.named_children[-1], inner) for inner in self._iterations(node, names)]

    def _iterations(self, node: Node, names: Mapping[str, Value]) -> Iterator[dict[str, Value]]:
        loop, over, *_ = node.named_children
        variables = [_text(child) for child in loop.named_children] or [_text(loop)]
        elements = self._value(over, names)
        if isinstance(elements, Unknown):
            raise BicepError(f"{self._template.path.name}: a loop over {elements.text}")
        for position, element in enumerate(elements):
            yield {**names, **dict(zip(variables, (element, position), strict=False))}

    def _parenthesized_expression(self, node: Node, names: Mapping[str, Value]) -> Value:
        return self._value(node.named_children[0], names)

    def _identifier(self, node: Node, names: Mapping[str, Value]) -> Value:
        name = _text(node)
        if name in names:
            return names[name]
        if name in self._symbols:
            return Unknown(name)
        if name not in self._known:
            self._known[name] = self._value(self._variables[name].named_children[-1], {})
        return self._known[name]

    def _member_expression(self, node: Node, names: Mapping[str, Value]) -> Value:
        owner, member = self._value(node.named_children[0], names), _text(node.named_children[1])
        if isinstance(owner, Unknown):
            self._check_output(owner.text, member)
            return Unknown(f"{owner.text}.{member}")
        if member not in owner:
            raise BicepError(f"{self._template.path.name}: {_text(node)} does not exist")
        return owner[member]

    def _check_output(self, owner: str, member: str) -> None:
        module, _, what = owner.partition(".")
        if what == "outputs" and module in self._template.declared("module"):
            path = self._module(module)
            if member not in path.declared("output"):
                raise BicepError(f"{self._template.path.name}: {path.path.name} has no output {member}")

    def _subscript_expression(self, node: Node, names: Mapping[str, Value]) -> Value:
        owner, key = (self._value(child, names) for child in node.named_children)
        return Unknown(f"{owner.text}[{key}]") if isinstance(owner, Unknown) else owner[key]

    def _ternary_expression(self, node: Node, names: Mapping[str, Value]) -> Value:
        condition, then, otherwise = node.named_children
        return self._value(then if self._truth(condition, names) else otherwise, names)

    def _truth(self, node: Node, names: Mapping[str, Value]) -> bool:
        value = self._value(node, names)
        if not isinstance(value, bool):
            raise BicepError(f"{self._template.path.name}: {_text(node)} is no condition that is known beforehand")
        return value

    def _unary_expression(self, node: Node, names: Mapping[str, Value]) -> bool:
        return not self._truth(node.named_children[0], names)

    def _binary_expression(self, node: Node, names: Mapping[str, Value]) -> Value:
        left, right = node.named_children
        operator = _text(node.children[1])
        if operator in {"&&", "||"}:
            first = self._truth(left, names)
            return self._truth(right, names) if first is (operator == "&&") else first
        a, b = self._value(left, names), self._value(right, names)
        if isinstance(a, Unknown) or isinstance(b, Unknown):
            return Unknown(_text(node))
        return {"==": a == b, "!=": a != b}[operator] if operator in {"==", "!="} else a > b

    def _call_expression(self, node: Node, names: Mapping[str, Value]) -> Value:
        function, arguments = _text(node.named_children[0]), node.named_children[1]
        values = [self._value(child, names) for child in _without_comments(arguments)]
        if function == "empty":  # what Azure provides is there
            return not isinstance(values[0], Unknown) and not values[0]
        if function not in _FUNCTIONS or any(isinstance(value, Unknown) for value in values):
            return Unknown(_text(node))
        return _FUNCTIONS[function](*values)


def _union(*objects: dict[str, Value]) -> dict[str, Value]:
    return {key: value for each in objects for key, value in each.items()}


_FUNCTIONS: dict[str, Callable[..., Value]] = {
    "concat": lambda *arrays: [element for array in arrays for element in array],
    "items": lambda members: [{"key": key, "value": members[key]} for key in sorted(members)],
    "string": str,
    "subscriptionResourceId": lambda type_name, name: f"{type_name}/{name}",
    "toLower": str.lower,
    "union": _union,
}


@cache
def _parsed(file_name: str, text: str) -> Node:
    root = _PARSER.parse(text.encode()).root_node
    for node in _walk(root):
        if node.type == "ERROR" or node.is_missing:
            raise BicepError(f"{file_name}:{node.start_point.row + 1}: cannot be parsed: {_text(node)[:60]!r}")
    return root


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _name(declaration: Node) -> str:
    return _text(declaration.named_children[0])


def _without_comments(node: Node) -> list[Node]:
    return [child for child in node.named_children if child.type not in {"comment", "diagnostic_comment"}]


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _decorators(declaration: Node) -> dict[str, Node]:
    """Those that stand over it, each with its argument."""
    above = declaration.prev_named_sibling
    if above is None or above.type != "decorators":
        return {}
    calls = (child for child in _walk(above) if child.type == "call_expression")
    return {_text(call.named_children[0]): call.named_children[1].named_children[0] for call in calls}


def _is_declaring(node: Node) -> bool:
    """Names of declarations and of functions, keys of objects, variables of loops."""
    parent = node.parent
    return parent is not None and (
        (parent.type.endswith("_declaration") and parent.named_children[0] == node)
        or (parent.type in {"call_expression", "object_property", "for_statement"} and parent.named_children[0] == node)
        or parent.type in {"target_scope_assignment", "type"}
    )


def _loop_names(node: Node) -> set[str]:
    """The variables of the loops around a node."""
    found: set[str] = set()
    parent = node.parent
    while parent is not None:
        if parent.type == "for_statement":
            loop = parent.named_children[0]
            found |= {_text(child) for child in loop.named_children} or {_text(loop)}
        parent = parent.parent
    return found
