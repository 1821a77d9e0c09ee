"""Reads package files: the header, and the steps in order with the errors of each."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from xml.etree.ElementTree import Element  # reads no XML itself  # nosec B405

from shared.protocol.csv_columns import CsvColumns, CsvColumnsFault, is_blank
from shared.protocol.whole_numbers import whole_number
from shared.vault.components.component_errors import MdlSyntaxError
from shared.vault.components.mdl import parse as parse_mdl
from shared.vault.components.statement import Statement
from shared.vault.components.uses import Dependency
from shared.vault.packages.package_archive import (
    PackageFault,
    PackedFile,
    parse,
    text_of,
    unpack,
)
from shared.vault.packages.package_model import (
    ComponentStep,
    DataAction,
    DataStep,
    DeclaredDependency,
    Package,
    Step,
)

MAX_ROWS = 500_000
MAX_COLUMNS = 500
MAX_DEPENDENCIES = 5_000
NO_TEXT = "The file is not UTF-8 text"
BLOCK = "block__sys"
IGNORE = "ignore__sys"

DEPENDENCY_HEADER = (
    "In Package", "Blocking Type", "Source Component Label", "Source Component Name", "Source Component Type",
    "Target Component Label", "Target Component Name", "Target Component Type", "Target Sub Component Name",
    "Target Sub Component Type",
)  # fmt: skip


Folder = Mapping[str, PackedFile]


class StepFault(Exception):
    """Raised for the error of one step that prevents its deployment."""


def component_step(
    number: str,
    stem: str,
    files: Folder,
) -> ComponentStep:
    """Return the step of the files ``{Type.name}.mdl``, ``.md5`` and ``.dep``."""
    kind, _, name = stem.partition(".")
    content = files["mdl"].content() if "mdl" in files else b""
    mdl, statement, error = "", None, ""
    # A step that cannot be deployed is shown with the reason; it blocks the package, not its reading.
    try:
        if "mdl" not in files:
            raise StepFault("The step is JSON, not MDL, and cannot be deployed here")
        mdl = _text(content)
        if "md5" in files:
            _check_md5(content, files["md5"].content(), stem)
        statement = _statement(mdl, kind, name)
    except StepFault as fault:
        error = str(fault)
    declared = tuple(_declared(files["dep"].content())) if "dep" in files else ()
    return ComponentStep(
        number,
        kind,
        name,
        mdl,
        md5_of(content),
        statement,
        declared,
        error,
    )


def data_step(
    number: str,
    stem: str,
    header: Element,
    file: PackedFile,
) -> DataStep:
    """Return the step of the files ``{stem}.xml`` (its root is ``header``) and ``{stem}.csv``."""
    about = header.find("datastepheader")
    checksum = _checksum(file)
    action, error = DataAction.CREATE, ""
    table, count = _Table(file), 0
    try:
        action = _action(text_of(about, "action"))
        if text_of(about, "datatype") not in ("", "Object"):
            raise StepFault("The data are not records of an object")
        _check_sum(checksum, text_of(header, "checksum"))
        count = sum(1 for _ in table.rows())
        _check_count(count, text_of(about, "recordcount"))
    except StepFault as fault:
        error = str(fault)
    return DataStep(
        number=number,
        name=stem,
        label=text_of(header, "label") or stem,
        object_name=text_of(about, "object"),
        action=action,
        header=table.names,
        count=count,
        cells=table.rows,
        checksum=checksum,
        id_param=text_of(about, "idparam") or None,
        migration_mode=text_of(about, "recordmigrationmode").lower() == "true",
        error=error,
    )


def md5_of(content: bytes) -> str:
    """Return the MD5 checksum of a file in the form that packages use."""
    return _checksum_of([content])


def _checksum(file: PackedFile) -> str:
    return _checksum_of(file.chunks())


def _checksum_of(chunks: Iterable[bytes]) -> str:
    # The format prescribes MD5: it finds damage, and is no protection.
    digest = hashlib.md5(usedforsecurity=False)
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StepFault(NO_TEXT) from error


def _statement(
    mdl: str,
    kind: str,
    name: str,
) -> Statement:
    """Return the one statement of a component step, which must be about the component in the file's name."""
    try:
        statements = parse_mdl(mdl)
    except MdlSyntaxError as error:
        raise StepFault(str(error)) from error
    if len(statements) != 1:
        raise StepFault(f"The file has {len(statements)} statements, not one")
    statement = statements[0]
    # Steps are ordered, and shown, by the name of the file.
    if statement.key != (kind, name):
        raise StepFault("The file is named after another component than the one in it")
    return statement


def _check_md5(
    content: bytes,
    md5: bytes,
    stem: str,
) -> None:
    """Check the content against the ``.md5`` file, ``{md5} {Type.name}``."""
    words = _text(md5).split()
    if len(words) != 2 or words[1] != stem:
        raise StepFault("The .md5 file is not the checksum of this component")
    _check_sum(md5_of(content), words[0])


def _check_sum(found: str, expected: str) -> None:
    if expected and expected.lower() != found:
        message = "The file does not have the checksum that the package has for it"
        raise StepFault(message)


def _check_count(found: int, expected: str) -> None:
    if expected and whole_number(expected) != found:
        raise StepFault("The file does not have as many records as the package says")


def _action(text: str) -> DataAction:
    try:
        return DataAction(text.capitalize())
    except ValueError as error:
        allowed = ", ".join(DataAction)
        raise StepFault(f"The action must be one of {allowed}") from error


class _Table:
    """The rows of a CSV file, read while it is unpacked; ``names`` are its columns once reading has begun."""

    def __init__(self, file: PackedFile) -> None:
        self._file = file
        self.names: tuple[str, ...] = ()

    def rows(self) -> Iterator[Sequence[str]]:
        """Yield the cells of each row; empty lines and rows of commas only are skipped.

        :raises StepFault: at a row that is not valid, or at the first line.
        """
        with self._file.text() as text:
            reader = csv.reader(text, strict=True)
            try:
                columns = CsvColumns(next(reader, []))
                if len(columns.names) > MAX_COLUMNS:
                    raise StepFault(
                        f"The first line has more than {MAX_COLUMNS} columns"
                    )
                self.names = tuple(columns.names)
                yield from _rows(reader, columns)
            except csv.Error as error:
                line = reader.line_num
                raise StepFault(f"Line {line} is not CSV: {error}") from error
            except CsvColumnsFault as error:
                raise StepFault(f"The file {error}") from error
            except UnicodeDecodeError as error:
                raise StepFault(NO_TEXT) from error


def _rows(
    reader: Iterator[list[str]],
    columns: CsvColumns,
) -> Iterator[Sequence[str]]:
    count = 0
    for cells in reader:
        if is_blank(cells):
            continue
        count += 1
        if count > MAX_ROWS:
            raise StepFault(f"The file has more than {MAX_ROWS} records")
        try:
            yield columns.cells(cells)
        except CsvColumnsFault as error:
            raise StepFault(f"Record {count} {error}") from error


def _declared(content: bytes) -> Iterator[DeclaredDependency]:
    """Yield the components that the lines of a ``.dep`` file name, to which the step's component refers.

    :raises PackageFault: when the file is not CSV with the columns of such a file.
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
                yield DeclaredDependency(
                    Dependency(
                        kind,
                        name,
                        subtype,
                        subname,
                    ),
                    blocking,
                )
    except (csv.Error, StepFault) as error:
        raise PackageFault("A file of dependencies is not CSV") from error


def _dependency(row: Mapping[str, str | None]) -> Dependency:
    return Dependency(
        type=_cell(row, "Target Component Type"),
        name=_cell(row, "Target Component Name"),
        subtype=_cell(row, "Target Sub Component Type"),
        subname=_cell(row, "Target Sub Component Name"),
    )


def _cell(row: Mapping[str, str | None], column: str) -> str:
    # A short line has None for the cells that it lacks.
    return (row.get(column) or "").strip()


MANIFEST = "vaultpackage.xml"
COMPONENTS = "components"
CODE = "javasdk"
MAX_STEPS = 2_000
MAX_TEXT = 500
DEFAULT_NAME = "Package"

_NUMBER = re.compile(r"\d{1,10}")


def read_package(data: bytes) -> Package:
    """Return the package in a file; the error of a single step is that step's ``error``.

    :raises PackageFault: when the file is no package.
    """
    files = _rooted(unpack(data))
    root = parse(files[MANIFEST].content(), MANIFEST)
    # The vendor's own newer packages write it with capitals.
    if root.tag.lower() != "vaultpackage":
        raise PackageFault(f"{MANIFEST} is not the description of a package")
    code = [name for name in files if name.startswith(f"{CODE}/")]
    return Package(
        name=_shortened(root, "name") or DEFAULT_NAME,
        summary=_shortened(root, "summary"),
        description=_shortened(root, "description"),
        author=_shortened(root, "source/author"),
        source_vault=_shortened(root, "source/vault"),
        steps=_steps(files),
        code=tuple(sorted(code)),
    )


def _shortened(root: Element, path: str) -> str:
    # These are for people to read: a long one is cut rather than refused.
    text = text_of(root, path)
    return text[:MAX_TEXT]


def _rooted(files: Folder) -> Folder:
    """Return the files by their paths relative to the manifest's folder; some tools add a folder around it."""
    if MANIFEST in files:
        return files
    manifests = [name for name in files if name.endswith(f"/{MANIFEST}")]
    if len(manifests) != 1:
        raise PackageFault(f"The archive has no {MANIFEST}")
    root = manifests[0].removesuffix(MANIFEST)
    return {
        name.removeprefix(root): file
        for name, file in files.items()
        if name.startswith(root)
    }


def _steps(files: Folder) -> tuple[Step, ...]:
    """Return the steps of the numbered folders, by number and then by name."""
    folders: dict[str, dict[str, PackedFile]] = defaultdict(dict)
    for path, file in files.items():
        top, _, rest = path.partition("/")
        number, _, name = rest.partition("/")
        if top != COMPONENTS:
            continue
        if not _NUMBER.fullmatch(number) or "/" in name or not name:
            message = f"{COMPONENTS} has something other than numbered folders of files"
            raise PackageFault(message)
        folders[number][name] = file
    steps: list[Step] = []
    for number in sorted(folders, key=int):
        steps += _folder_steps(number, folders[number])
    if len(steps) > MAX_STEPS:
        raise PackageFault(f"The package has more than {MAX_STEPS} steps")
    return tuple(steps)


def _folder_steps(number: str, folder: Folder) -> list[Step]:
    """Return the steps of one folder; files with the same stem belong to one step."""
    stems: dict[str, dict[str, PackedFile]] = defaultdict(dict)
    for name, file in folder.items():
        stem, _, ending = name.rpartition(".")
        # Endings differ in capitals on some systems, and mean the same.
        if stems[stem].setdefault(ending.lower(), file) is not file:
            raise PackageFault(f"{COMPONENTS}/{number} has two files of the same name")
    return [_step(number, stem, stems[stem]) for stem in sorted(stems)]


def _step(
    number: str,
    stem: str,
    files: Folder,
) -> Step:
    if "mdl" in files or "json" in files:
        return component_step(number, stem, files)
    if "csv" in files and "xml" in files:
        header: Element = parse(files["xml"].content(), f"{stem}.xml")
        return data_step(
            number,
            stem,
            header,
            files["csv"],
        )
    message = f"{COMPONENTS}/{number} has neither MDL nor data with its description"
    raise PackageFault(message)
