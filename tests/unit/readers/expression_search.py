"""Finds the regular expressions of the code: where each is made, and how it is applied."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
FOLDERS = ("services", "shared", "medcrm")
MODES = frozenset(
    ("match", "fullmatch", "search", "findall", "finditer", "sub", "subn", "split")
)


@dataclass(frozen=True)
class Source:
    """One module of the code."""

    module: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)


class Place(NamedTuple):
    """Where an expression is: the module, and a name within it."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"


@cache
def sources() -> tuple[Source, ...]:
    """Return all modules of the code."""
    files = [
        file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))
    ]
    return tuple(
        Source(
            ".".join(file.relative_to(ROOT).with_suffix("").parts),
            file.read_text(encoding="utf-8"),
        )
        for file in files
    )


def named_expressions() -> set[Place]:
    """Return the expressions that a module compiles once and names."""
    found = set()
    for source in sources():
        for statement in source.tree.body:
            made = _assigned(statement)
            if made is not None:
                found.add(Place(source.module, made))
    return found


def unnamed_expressions() -> set[Place]:
    """Return the functions that call ``re`` themselves, with an expression made at run time or written inline."""
    found = set()
    for source in sources():
        named = {
            id(statement.value)
            for statement in source.tree.body
            if isinstance(statement, ast.Assign) and _assigned(statement)
        }
        for owner, call in _calls(source.tree):
            if _is_of_re(call) and id(call) not in named:
                found.add(Place(source.module, owner))
    return found


def constraints() -> dict[Place, str]:
    """Return the ``pattern=`` of annotations, by the name of the annotation."""
    found = {}
    # Asked for when tests are collected, by each worker: the other modules are not parsed for it.
    for source in (each for each in sources() if "pattern=" in each.text):
        for owner, call in _calls(source.tree):
            for keyword in call.keywords:
                if keyword.arg == "pattern":
                    place = Place(source.module, owner)
                    found[place] = ast.literal_eval(keyword.value)
    return found


def applied() -> dict[Place, set[str]]:
    """Return the functions that apply each named expression, in its own module and in modules that import it."""
    found: dict[Place, set[str]] = defaultdict(set)
    for source in sources():
        imported = _imported(source.tree)
        for node in ast.walk(source.tree):
            if not isinstance(node, ast.Attribute) or node.attr not in MODES:
                continue
            match node.value:
                case ast.Name(id=name):
                    own = Place(source.module, name)
                    found[imported.get(name, own)].add(node.attr)
                case ast.Attribute(value=ast.Name(id=module), attr=name):
                    known = imported.get(module)
                    if known is not None:
                        place = Place(f"{known.module}.{known.name}", name)
                        found[place].add(node.attr)
    return found


def imports_of_re_members() -> set[str]:
    """Return the modules that import a member of ``re``, or ``re`` by another name, which the search would miss."""
    found = set()
    for source in sources():
        for node in ast.walk(source.tree):
            direct = isinstance(node, ast.ImportFrom) and node.module in ("re", "regex")
            renamed = isinstance(node, ast.Import) and any(
                alias.name in ("re", "regex") and alias.asname for alias in node.names
            )
            if direct or renamed:
                found.add(source.module)
    return found


def _assigned(statement: ast.stmt) -> str | None:
    """Return the name that a statement assigns an expression to; None for any other statement."""
    if not isinstance(statement, ast.Assign) or not isinstance(
        statement.value, ast.Call
    ):
        return None
    (target,) = statement.targets
    is_compiled = _is_of_re(statement.value)
    return target.id if is_compiled and isinstance(target, ast.Name) else None


def _is_of_re(call: ast.Call) -> bool:
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "re"
        and function.attr in MODES | {"compile"}
    )


def _calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Yield each call, with the function or module-level name that contains it."""
    for statement in tree.body:
        owner = _name_of(statement)
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                yield owner, node


def _name_of(statement: ast.stmt) -> str:
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return name
        case ast.ClassDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
        case ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case _:
            return f"line {statement.lineno}"


def _imported(tree: ast.Module) -> dict[str, Place]:
    return {
        alias.asname or alias.name: Place(node.module or "", alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
