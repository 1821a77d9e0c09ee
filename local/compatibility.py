"""Writes docs/compatibility.md: each operation of the public API, whether a Vault has it, and the test that calls it.

``vault_operations.csv`` has the operations (verb, path, name), in the order of the public API's reference. The served
ones are read from the routes; the tests of an operation are found by the paths in their calls. ``public_trials.md``
ends the page.
"""

from __future__ import annotations

import ast
import csv
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from urllib.parse import urlsplit

from local.api_reference import routes
from shared.vault.api.absent_features import absent_feature
from shared.vault.api.workflow_tasks import TASK_ACTIONS
from shared.vault.workflows.bulk_actions import BulkAction

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "docs" / "compatibility.md"
OPERATIONS = Path(__file__).with_name("vault_operations.csv")
TRIALS = Path(__file__).with_name("public_trials.md")
"""The results of trying public programs and packages, which only a trial can show."""
TESTS = PROJECT / "tests" / "service" / "vault"
PACKAGE = "tests.service.vault"
EVERY_ROUTE = "test_api_roles.py"
"""Calls every route, as every kind of user."""

# One route runs all actions of tasks, and one those on several workflows.
WORKFLOW_ACTIONS = frozenset(TASK_ACTIONS) | frozenset(BulkAction)

VERBS = frozenset({"get", "post", "put", "delete"})
VERSIONED = "/api/v25.1"
VARIABLE = "{}"
NAMED_PLACES = frozenset({"me", "Objecttype"})
"""Literal segments that stand where a route has an id or a type."""

HEAD = """# Compatibility

{served} of the {all} operations of the public API are here ({share} %), with the versions v24.1 to v26.3.
{absent} belong to features that are left out on purpose: they are answered with `OPERATION_NOT_ALLOWED` and the reason.
{rest} are not there yet: they are answered with `MALFORMED_URL`, or with `METHOD_NOT_SUPPORTED` if the path has another
verb.

The operations are those of a public OpenAPI description of v25.1 (`fderuiter/veeva_python_sdk`).
`make reference` writes this page from the routes and the tests; [API](api.md) explains the calls.

Of operations that are here, these parts are not. They are refused with the reason, unless the list says otherwise:

* Documents: unclassified documents, CrossLinks, attachments of one version, and migration mode of updates and
  reclassifications, whose header has no effect.
* Loader: the types `groups__v` and `document_versions_roles__v`, the actions `create_attachments`,
  `delete_attachments`, `assign_roles` and `remove_roles`, and migration mode of anything but creating documents,
  versions and renditions.
"""
CHAPTERS = {
    "Authentication": "auth delegation keep-alive session api limits",
    "Direct Data": "services/directdata",
    "Queries": "query",
    "MDL and components": "api/mdl mdl configuration metadata/components objects/picklists",
    "Binders": "objects/binders metadata/objects/binders",
    "Workflows": "objects/objectworkflows object/workflow",
    "Documents": "objects/documents metadata/objects/documents objects/deletions/documents metadata/query",
    "Object records": "vobjects metadata/vobjects objects/deletions composites",
    "Users and groups": "objects/users objects/groups objects/licenses objects/securitypolicies metadata/objects scim",
    "Files, jobs and packages": "services objects/edl_matched_documents vobject/vault_package__v",
    "Sandboxes and Vaults": "objects/sandbox objects/vault objects/domain objects/domains",
    "Logs and code": "logs audittrail metadata/audittrail code uicode notifications messages",
}
"""Titles, each with the beginnings of its operations' paths; the longest beginning decides."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the public API; its path begins below ``/api/{version}``, unless it begins with ``/api/``."""

    verb: str
    path: str
    name: str

    @property
    def segments(self) -> tuple[str, ...]:
        """Return the parts of the path, each variable one as ``{}``."""
        return segments(
            self.path.removeprefix("/api/") if self.unversioned else self.path
        )

    @property
    def unversioned(self) -> bool:
        """Return whether the path has no version, as in ``/api/mdl/execute``."""
        return self.path.startswith("/api/")

    @property
    def served(self) -> bool:
        """Return whether a Vault has a route for the operation."""
        return any(
            verb == self.verb and _fits(route, self.segments)
            for verb, route in _routes()
        )

    @property
    def reason(self) -> str:
        """Return why the operation is left out, or "" if it is not."""
        feature = absent_feature(f"{VERSIONED}{self.path}")
        return "" if feature is None else feature.message


@cache
def operations() -> tuple[Operation, ...]:
    """Return the operations of the public API, in its order."""
    with OPERATIONS.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return tuple(
            Operation(row["verb"], row["path"], row["operation"]) for row in rows
        )


def segments(path: str) -> tuple[str, ...]:
    """Return the segments of a path; each with a variable in it is ``{}``."""
    parts = path.strip("/").split("/")
    return tuple(VARIABLE if "{" in part else part for part in parts)


@cache
def _routes() -> frozenset[tuple[str, tuple[str, ...]]]:
    """Return verb and segments of every route; the segments begin after ``/api`` and, if there is one, the version."""
    found = set()
    for _, verb, path, _ in routes():
        below = path.removeprefix("/api/{version}").removeprefix("/api/")
        found.add((verb, segments(below)))
    return frozenset(found)


def _fits(route: Sequence[str], wanted: Sequence[str]) -> bool:
    """Return whether an operation's path matches that of a route."""
    named = NAMED_PLACES | (WORKFLOW_ACTIONS if "actions" in route[2:-1] else set())
    return len(route) == len(wanted) and all(
        part == segment or (part == VARIABLE and segment in named)
        for part, segment in zip(route, wanted, strict=True)
    )


@cache
def _calls() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Return test module, verb and segments of every call that the tests of the API spell out."""
    modules = {path.stem: path for path in sorted(TESTS.glob("test_*.py"))}
    return tuple(
        (path.name, verb, segments(called))
        for module, path in modules.items()
        for verb, called in _calls_in(_tree(module), _constants(module))
    )


@cache
def _tree(module: str) -> ast.Module:
    """Return the syntax tree of a module of the tests of the API."""
    return ast.parse((TESTS / f"{module}.py").read_text(encoding="utf-8"))


@cache
def _constants(module: str) -> dict[str, str]:
    """Return the paths that have names in a module, its imported ones included; some are made of others."""
    found: dict[str, str] = {}
    for node in _tree(module).body:
        match node:
            case ast.ImportFrom(module=str(source), names=names):
                package, _, stem = source.rpartition(".")
                if package != PACKAGE:
                    continue
                known = _constants(stem)
                for each in names:
                    if each.name in known:
                        found[each.asname or each.name] = known[each.name]
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                text = _text(value, found)
                if text.startswith("/"):
                    found[name] = text
    return found


def _calls_in(tree: ast.AST, constants: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield verb and path of calls such as ``api.post(f"/vobjects/{name}")`` and ``api.call("PUT", "/query")``."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        texts = [_text(argument, constants) for argument in node.args[:2]]
        verb = node.func.attr
        if verb in {"call", "request"} and texts:
            verb, texts = texts[0].lower(), texts[1:]
        if verb in VERBS and texts and texts[0].startswith("/"):
            yield verb.upper(), urlsplit(texts[0]).path.removeprefix(VERSIONED)


def _text(node: ast.expr, constants: dict[str, str]) -> str:
    """Return a string's text with ``{}`` for its variable parts, or "" for another expression."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            return constants.get(name, "")
        case ast.JoinedStr(values=parts):
            return "".join(_part(part, constants) for part in parts)
    return ""


def _part(node: ast.expr, constants: dict[str, str]) -> str:
    """Return the text of a part of an f-string."""
    if isinstance(node, ast.FormattedValue):
        return _text(node.value, constants) or VARIABLE
    return _text(node, constants)


def test_of(operation: Operation) -> str:
    """Return the test module that calls an operation most often.

    Calls that spell out each name of its path come before those with a variable in place of one.
    """
    for is_called in (_is_spelled_out, _is_called):
        counts = Counter(
            module
            for module, verb, called in _calls()
            if verb == operation.verb and is_called(called, operation.segments)
        )
        if counts:
            most = max(counts.values())
            return min(name for name in counts if counts[name] == most)
    return EVERY_ROUTE


def _is_spelled_out(called: Sequence[str], wanted: Sequence[str]) -> bool:
    return len(called) == len(wanted) and all(
        segment in (VARIABLE, part)
        for part, segment in zip(called, wanted, strict=True)
    )


def _is_called(called: Sequence[str], wanted: Sequence[str]) -> bool:
    return len(called) == len(wanted) and all(
        VARIABLE in (part, segment) or part == segment
        for part, segment in zip(called, wanted, strict=True)
    )


def chapter_of(operation: Operation) -> str:
    """Return the title of the operation's chapter."""
    path = operation.path.strip("/") + "/"
    found = [
        (len(beginning), title)
        for title, beginnings in CHAPTERS.items()
        for beginning in beginnings.split()
        if path.startswith(f"{beginning}/")
    ]
    return max(found)[1]


def page() -> str:
    """Return the whole page as Markdown."""
    every = operations()
    served = sum(operation.served for operation in every)
    absent = sum(bool(operation.reason) and not operation.served for operation in every)
    share = 100 * served // len(every)
    rest = len(every) - served - absent
    parts = [
        HEAD.format(
            all=len(every), served=served, share=share, absent=absent, rest=rest
        )
    ]
    titles = list(CHAPTERS)
    ordered = sorted(every, key=lambda each: titles.index(chapter_of(each)))
    for title, members in groupby(ordered, chapter_of):
        rows = list(members)
        here = sum(operation.served for operation in rows)
        parts.append(f"\n## {title}\n\n{here} of {len(rows)}.\n")
        parts.append("| Operation | Call | Here | Test or reason |\n|---|---|---|---|")
        parts.extend(_row(operation) for operation in rows)
    parts.append("\n" + TRIALS.read_text(encoding="utf-8").rstrip("\n"))
    return "\n".join(parts) + "\n"


def _row(operation: Operation) -> str:
    call = f"`{operation.verb} {operation.path}`"
    if operation.served:
        return f"| {operation.name} | {call} | yes | `{test_of(operation)}` |"
    return f"| {operation.name} | {call} | no | {operation.reason or 'not yet'} |"


def main() -> int:
    """Write the page and return 0."""
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
