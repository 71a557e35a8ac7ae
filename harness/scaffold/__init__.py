"""Files to start from: `bench new` fills in one of the templates of this folder.

What they give runs, and passes the contract tests, as it is; the examples in them are small but real methods.
"""

from __future__ import annotations

import ast
import keyword
import re
from importlib.resources import files
from pathlib import Path
from string import Template

from harness.catalog import SLOTS, all_entries, load_catalogue

KINDS = ("spec", "method", "task")


class TemplateError(Exception):
    """A kind, slot or name that cannot be used, or a file that is already there; one line with the remedy."""


def create(kind: str, name: str, slot: str, folder: Path) -> Path:
    """Write a new file and return its path: NAME.yaml for a spec, else name.py with underscores.

    Args:
        kind: "spec", "method" or "task".
        name: in kebab-case; the spec's name or the component's or task's key.
        slot: of a method; ignored for the other kinds.
        folder: where to write; made when it is missing.

    Raises:
        TemplateError: nothing was written; the text says why.
    """
    template = _template(kind, slot)
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise TemplateError(
            f'"{name}" is not kebab-case; use small letters, digits and single hyphens, as in my-{kind}'
        )
    if name in _taken(kind):
        raise TemplateError(f'"{name}" is shipped with methodbench already; choose another name')
    file = folder / (f"{name}.yaml" if kind == "spec" else f"{name.replace('-', '_')}.py")
    text = _filled(template, name, file.name)
    if kind != "spec":
        _check_identifier(name.replace("-", "_"), text)
    _write(file, text)
    return file


def _template(kind: str, slot: str) -> Template:
    if kind not in KINDS:
        raise TemplateError(f'there is no template for "{kind}"; expected one of {", ".join(KINDS)}')
    if kind == "method" and slot not in SLOTS:
        raise TemplateError(f'there is no slot "{slot}"; expected one of {", ".join(SLOTS)}')
    source = {"spec": "spec.yaml", "task": "task.py.txt", "method": f"{slot}.py.txt"}[kind]
    return Template(files(__name__).joinpath(source).read_text(encoding="utf-8"))


def _taken(kind: str) -> set[str]:
    """Names that a new file of this kind would collide with."""
    if kind == "spec":
        import specs  # pydantic and yaml, which the other kinds do not need

        return set(specs.library_names())
    return {entry["key"] for entry in all_entries(load_catalogue())}


def _filled(template: Template, name: str, file: str) -> str:
    words = name.split("-")
    return template.substitute(
        key=name, name="_".join(words), Name="".join(map(str.capitalize, words)), title=" ".join(words), file=file
    )


def _check_identifier(name: str, text: str) -> None:
    """The function is called like the component, so it must not hide what the file imports."""
    if keyword.iskeyword(name):
        raise TemplateError(f'"{name}" is a word of the Python language; choose another name')
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]
    if name in {alias.name for node in imports for alias in node.names}:
        raise TemplateError(f'"{name}" is something the new file imports; choose another name')


def _write(file: Path, text: str) -> None:
    if file.exists():
        raise TemplateError(f"{file} exists already and is left as it is; choose another name or --folder")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise TemplateError(f"{file} cannot be written: {error.strerror}; choose another --folder") from None
