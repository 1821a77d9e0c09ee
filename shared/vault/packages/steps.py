"""One step of a package read from its files, and checked against itself."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element

from shared.vault.components.component_errors import MdlSyntaxError
from shared.vault.components.dependencies import Dependency
from shared.vault.components.mdl import parse
from shared.vault.components.statement import Statement
from shared.vault.packages.markup import text_of
from shared.vault.packages.package_archive import PackageFault
from shared.vault.packages.package_model import (
    ComponentStep,
    DataAction,
    DataStep,
    Declared,
)

MAX_ROWS = 100_000
MAX_COLUMNS = 500
MAX_DEPENDENCIES = 5_000
BLOCK = "block__sys"
IGNORE = "ignore__sys"
DEPENDENCY_HEADER = (
    "In Package", "Blocking Type", "Source Component Label", "Source Component Name", "Source Component Type",
    "Target Component Label", "Target Component Name", "Target Component Type", "Target Sub Component Name",
    "Target Sub Component Type",
)  # fmt: skip


class StepFault(Exception):
    """What keeps one step from being deployed."""


def component_step(number: str, stem: str, files: Mapping[str, bytes]) -> ComponentStep:
    """The step of the files ``{Type.name}.mdl``, ``.md5`` and ``.dep``."""
    kind, _, name = stem.partition(".")
    content = files.get("mdl", b"")
    mdl, statement, error = "", None, ""
    try:
        if "mdl" not in files:
            raise StepFault("The step is JSON, not MDL, and cannot be deployed here")
        mdl = _text(content)
        _check_md5(content, files.get("md5"), stem)
        statement = _statement(mdl, kind, name)
    except StepFault as fault:
        error = str(fault)
    declared = tuple(_declared(files["dep"])) if "dep" in files else ()
    return ComponentStep(
        number, kind, name, mdl, md5_of(content), statement, declared, error
    )


def data_step(number: str, stem: str, header: Element, content: bytes) -> DataStep:
    """The step of the files ``{stem}.xml`` (its root is ``header``) and ``{stem}.csv``."""
    about = header.find("datastepheader")
    action, error = DataAction.CREATE, ""
    names: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    try:
        action = _action(text_of(about, "action"))
        if text_of(about, "datatype") not in ("", "Object"):
            raise StepFault("The data are not records of an object")
        _check_sum(content, text_of(header, "checksum"))
        names, rows = _table(_text(content))
        _check_count(len(rows), text_of(about, "recordcount"))
    except StepFault as fault:
        error = str(fault)
    return DataStep(
        number=number,
        name=stem,
        label=text_of(header, "label") or stem,
        object_name=text_of(about, "object"),
        action=action,
        header=names,
        rows=rows,
        checksum=md5_of(content),
        id_param=text_of(about, "idparam") or None,
        migration_mode=text_of(about, "recordmigrationmode").lower() == "true",
        error=error,
    )


def md5_of(content: bytes) -> str:
    """The checksum that packages carry."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StepFault("The file is not UTF-8 text") from error


def _statement(mdl: str, kind: str, name: str) -> Statement:
    """The one statement of a component step, which is about the component that the file is named after."""
    try:
        statements = parse(mdl)
    except MdlSyntaxError as error:
        raise StepFault(str(error)) from error
    if len(statements) != 1:
        raise StepFault(f"The file has {len(statements)} statements, not one")
    if (statements[0].type, statements[0].name) != (kind, name):
        raise StepFault("The file is named after another component than the one in it")
    return statements[0]


def _check_md5(content: bytes, md5: bytes | None, stem: str) -> None:
    """Compare with the ``.md5`` file, ``{md5} {Type.name}``, where there is one."""
    if md5 is None:
        return
    words = _text(md5).split()
    if len(words) != 2 or words[1] != stem:
        raise StepFault("The file of the checksum is not the one of this component")
    _check_sum(content, words[0])


def _check_sum(content: bytes, expected: str) -> None:
    if expected and expected.lower() != md5_of(content):
        raise StepFault(
            "The file does not have the checksum that the package gives for it"
        )


def _check_count(found: int, expected: str) -> None:
    if expected and (not expected.isdecimal() or int(expected) != found):
        raise StepFault("The file does not have as many records as the package says")


def _action(text: str) -> DataAction:
    try:
        return DataAction(text.capitalize())
    except ValueError as error:
        allowed = ", ".join(DataAction)
        raise StepFault(f"The action is none of {allowed}") from error


def _table(text: str) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Field names and rows of a CSV text; empty lines are skipped."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = tuple(name.strip() for name in next(reader, []))
        if (
            not header
            or not all(header)
            or len(set(header)) != len(header)
            or len(header) > MAX_COLUMNS
        ):
            raise StepFault("The first line does not name the fields, each once")
        return header, tuple(_rows(reader, len(header)))
    except csv.Error as error:
        raise StepFault(f"Line {reader.line_num} is not CSV: {error}") from error


def _rows(reader: Iterator[list[str]], width: int) -> Iterator[tuple[str, ...]]:
    count = 0
    for cells in reader:
        if not cells:
            continue
        count += 1
        if len(cells) != width:
            raise StepFault(
                f"Record {count} has {len(cells)} cells; the first line has {width}"
            )
        if count > MAX_ROWS:
            raise StepFault(f"The file has more than {MAX_ROWS} records")
        yield tuple(cells)


def _declared(content: bytes) -> Iterator[Declared]:
    """The lines of a ``.dep`` file that name what the component refers to.

    :raises PackageFault: when it is not the CSV that it should be.
    """
    try:
        reader = csv.DictReader(io.StringIO(_text(content), newline=""), strict=True)
        for number, row in enumerate(reader):
            if number == MAX_DEPENDENCIES:
                raise PackageFault(
                    f"A component has more than {MAX_DEPENDENCIES} dependencies"
                )
            kind, name, subname, subtype = (
                (row.get(f"Target {column}") or "").strip()
                for column in (
                    "Component Type",
                    "Component Name",
                    "Sub Component Name",
                    "Sub Component Type",
                )
            )
            if kind and name:
                blocking = (row.get("Blocking Type") or BLOCK).strip() != IGNORE
                yield Declared(Dependency(kind, name, subtype, subname), blocking)
    except (csv.Error, StepFault) as error:
        raise PackageFault("A file of dependencies is not CSV") from error
