"""Reads and writes a configuration as a folder: ``components/{Type.name}.mdl`` and ``records/{object}.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from medcrm.configuration import (
    KEYS,
    Configuration,
    ConfigurationFault,
    Table,
    read_component,
)
from shared.protocol.csv_cells import kept_cell, read_cell

COMPONENTS = "components"
RECORDS = "records"
# Far more than any component has; a larger file is most likely in the folder by mistake.
MAX_FILE_BYTES = 20 * 2**20


def read_folder(folder: Path) -> Configuration:
    """Return the configuration in a folder.

    :raises ConfigurationFault: a file cannot be used; the text names it.
    """
    if not folder.is_dir():
        raise ConfigurationFault(f"{folder} is not a folder")
    components = {}
    for file in sorted((folder / COMPONENTS).glob("*.mdl")):
        components[file.stem] = read_component(file.stem, _text(file))
    tables = {}
    for file in sorted((folder / RECORDS).glob("*.csv")):
        tables[file.stem] = _table(file)
    if not components and not tables:
        raise ConfigurationFault(
            f"{folder} has neither {COMPONENTS}/*.mdl nor {RECORDS}/*.csv"
        )
    return Configuration(components, tables)


def write_folder(folder: Path, configuration: Configuration) -> tuple[int, int]:
    """Make the folder the same as the configuration; return the numbers of files written and removed."""
    wanted: dict[Path, str] = {}
    for component in configuration.components.values():
        file = folder / COMPONENTS / f"{component.name}.mdl"
        wanted[file] = component.text
    for name, table in configuration.tables.items():
        file = folder / RECORDS / f"{name}.csv"
        wanted[file] = _csv(table)
    components = (folder / COMPONENTS).glob("*.mdl")
    records = (folder / RECORDS).glob("*.csv")
    existing = {*components, *records}
    for part in (COMPONENTS, RECORDS):
        (folder / part).mkdir(parents=True, exist_ok=True)
    written = 0
    for file, text in wanted.items():
        content = text.encode()
        # A file that is the same is left alone, with its time of change.
        if file not in existing or file.read_bytes() != content:
            file.write_bytes(content)
            written += 1
    # Files of other names are somebody else's and stay.
    stale = existing - set(wanted)
    for file in stale:
        file.unlink()
    return written, len(stale)


def _text(file: Path) -> str:
    if file.stat().st_size > MAX_FILE_BYTES:
        raise ConfigurationFault(f"{file} is larger than {MAX_FILE_BYTES} bytes")
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationFault(f"{file} is not UTF-8 text") from error


def _table(file: Path) -> Table:
    key = KEYS.get(file.stem)
    if key is None:
        raise ConfigurationFault(
            f"{file}: the records of this object are not configuration; known are {', '.join(KEYS)}"
        )
    # ``newline=""`` leaves line breaks inside of cells to the CSV reader.
    sheet = io.StringIO(_text(file), newline="")
    reader = csv.DictReader(sheet, strict=True, restval=None)
    try:
        columns = tuple(reader.fieldnames or ())
        is_distinct = len(set(columns)) == len(columns)
        if key not in columns or not is_distinct or not all(columns):
            raise ConfigurationFault(
                f"{file}: the first line must name the fields, each once, {key} among them"
            )
        rows = _rows(file, key, reader)
    except csv.Error as error:
        raise ConfigurationFault(f"{file}, line {reader.line_num}: {error}") from error
    return Table(key, columns, rows)


def _rows(
    file: Path,
    key: str,
    reader: csv.DictReader[str],
) -> dict[str, Mapping[str, str]]:
    """Return the rows by their key.

    :raises ConfigurationFault: a row has too many or too few cells, no key, or the key of another row.
    """
    rows: dict[str, Mapping[str, str]] = {}
    for cells in reader:
        # The reader puts surplus cells under None, and None into missing ones.
        is_ragged = None in cells or None in cells.values()
        if is_ragged or not cells[key]:
            raise ConfigurationFault(
                f"{file}, line {reader.line_num}: not a cell for every field, or no {key}"
            )
        row = {name: read_cell(cell) for name, cell in cells.items()}
        if row[key] in rows:
            raise ConfigurationFault(
                f"{file}, line {reader.line_num}: {key} {row[key]} comes twice"
            )
        rows[row[key]] = row
    return rows


def _csv(table: Table) -> str:
    sheet = io.StringIO(newline="")
    writer = csv.DictWriter(sheet, table.columns, lineterminator="\n")
    writer.writeheader()
    # In the order of the keys, so that two exports of one configuration are the same file.
    for key in sorted(table.rows):
        row = table.rows[key]
        writer.writerow({name: kept_cell(cell) for name, cell in row.items()})
    return sheet.getvalue()
