"""Read what component and task files declare from their source text, without importing them.

The decorators of `harness.protocols.component` take literals only, so the text alone says what a file registers:
slot, key, protocol, paper and every parameter with its type, default, bounds and help.  Reading it costs about a
millisecond a file, runs no code and needs neither torch nor pydantic; that is why completion, validation and the
wheel build can afford the whole catalogue.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Entry = dict[str, Any]

#: Positional order of the small data classes allowed as arguments.
DATA_CALLS = {
    "Metric": ("name", "direction", "help", "unit"),
    "Target": ("metric", "value"),
    "LessThan": ("left", "right", "or_equal"),
}
DATA_DEFAULTS: dict[str, dict[str, Any]] = {"Metric": {"unit": "1"}, "Target": {}, "LessThan": {"or_equal": False}}
COMPONENT_DEFAULTS: Entry = {"flags": [], "constraints": [], "verified": True}
TASK_DEFAULTS: Entry = {"data": [], "target": None, "offers": [], "constraints": []}
SCALAR_TYPES = ("float", "int", "bool", "str")


class DeclarationError(Exception):
    """A component or task file that cannot be read as plain declarations; the text names file, line and remedy."""

    def __init__(self, file: Path, node: ast.AST, message: str) -> None:
        super().__init__(f"{file}:{getattr(node, 'lineno', 1)}: {message}")


def read_declarations(file: Path, module: str) -> list[Entry]:
    """Entries of all components and tasks that `file` declares.

    Args:
        file: a Python source file.
        module: the name under which the engine will import it.

    Raises:
        DeclarationError: the file is not valid Python or a declaration is not made of literals.
    """
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError, OSError) as error:
        raise DeclarationError(file, ast.Module([], []), f"cannot be read as Python: {error}") from None
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    title = _first_line(ast.get_docstring(tree))
    return [
        _entry(file, module, title, classes, node, call)
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        for call in _registrations(node)
    ]


def _registrations(node: ast.FunctionDef | ast.ClassDef) -> Iterator[ast.Call]:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and _name(decorator.func) in ("component", "task"):
            yield decorator


def _entry(
    file: Path,
    module: str,
    title: str,
    classes: dict[str, ast.ClassDef],
    node: ast.FunctionDef | ast.ClassDef,
    call: ast.Call,
) -> Entry:
    if call.args:
        raise DeclarationError(file, call, "give every argument of the decorator by name")
    given = {keyword.arg or "**": keyword.value for keyword in call.keywords}
    params_name = _name(given.pop("params", call))
    if params_name not in classes:
        raise DeclarationError(file, call, "params= must name a Params class of the same file")
    is_task = _name(call.func) == "task"
    return {
        "kind": "task" if is_task else "component",
        **(TASK_DEFAULTS if is_task else COMPONENT_DEFAULTS),
        **{name: _literal(file, value) for name, value in given.items()},
        "title": title,
        "summary": _first_line(ast.get_docstring(node)),
        "module": module,
        "attr": node.name,
        "file": str(file),
        "params": _params(file, classes[params_name]),
    }


def _params(file: Path, node: ast.ClassDef) -> list[Entry]:
    if [_name(base) for base in node.bases] != ["Params"]:
        raise DeclarationError(file, node, f"class {node.name} must derive from Params alone")
    return [_param(file, statement) for statement in node.body if not _says_nothing(statement)]


def _param(file: Path, statement: ast.stmt) -> Entry:
    if not (
        isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and isinstance(statement.value, ast.Call)
        and _name(statement.value.func) == "param"
    ):
        raise DeclarationError(
            file, statement, "a Params class holds only lines `name: type = param(default, help=...)`"
        )
    call = statement.value
    entry = {"name": statement.target.id, **_type(file, statement.annotation), "unit": "1"}
    entry |= {keyword.arg or "**": _literal(file, keyword.value) for keyword in call.keywords}
    entry["required"] = not call.args
    if call.args:
        entry["default"] = _literal(file, call.args[0])
    if "help" not in entry:
        raise DeclarationError(file, statement, f"parameter {entry['name']} needs help=")
    return {key: value for key, value in entry.items() if value is not None or key == "default"}


def _type(file: Path, node: ast.expr) -> Entry:
    """Type of one field in the closed vocabulary of the catalogue."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        if not (isinstance(node.right, ast.Constant) and node.right.value is None):
            raise DeclarationError(file, node, "the only union allowed is `type | None`")
        return {**_type(file, node.left), "optional": True}
    name = _name(node.value) if isinstance(node, ast.Subscript) else _name(node)
    if name in SCALAR_TYPES:
        return {"type": name, "optional": False}
    if name == "ComponentRef":
        return {"type": "component", "optional": False}
    if isinstance(node, ast.Subscript):
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if name == "Literal":
            return {"type": "choice", "optional": False, "choices": [_literal(file, item) for item in items]}
        if name == "tuple" and all(_name(item) in ("float", "int") for item in items):
            return {"type": "tuple", "optional": False, "items": [_name(item) for item in items]}
    raise DeclarationError(
        file,
        node,
        f"type `{ast.unparse(node)}` is not one of float, int, bool, str, Literal, tuple of numbers, ComponentRef",
    )


def _literal(file: Path, node: ast.expr) -> Any:
    """Value of a literal, with tuples as lists and data calls as dictionaries."""
    if isinstance(node, ast.Call):
        return _data_call(file, node)
    if isinstance(node, ast.Tuple | ast.List):
        return [_literal(file, item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {
            _literal(file, key): _literal(file, value) for key, value in zip(node.keys, node.values, strict=True) if key
        }
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise DeclarationError(file, node, f"`{ast.unparse(node)}` is not a literal") from None


def _data_call(file: Path, node: ast.Call) -> Entry:
    name = _name(node.func)
    if name not in DATA_CALLS:
        raise DeclarationError(file, node, f"`{name}(...)` is not allowed in a declaration")
    value = dict(DATA_DEFAULTS[name])
    value |= {key: _literal(file, item) for key, item in zip(DATA_CALLS[name], node.args, strict=False)}
    value |= {keyword.arg or "**": _literal(file, keyword.value) for keyword in node.keywords}
    return value


def _name(node: ast.expr) -> str:
    """Last part of a dotted name; empty for anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _says_nothing(statement: ast.stmt) -> bool:
    """True for a docstring and for `pass`."""
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def _first_line(text: str | None) -> str:
    return (text or "").strip().split("\n\n")[0].replace("\n", " ")
