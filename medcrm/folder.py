"""Reads and writes a configuration as a folder: ``components/{Type.name}.mdl`` and ``records/{object}.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from medcrm.configuration import (
    KEYS,
    Configuration,
    ConfigurationFault,
    Table,
    read_component,
)
from shared.protocol.csv_cells import read_cell, restorable_cell
from shared.protocol.csv_columns import CsvColumns, CsvColumnsFault, is_blank

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
    reader = csv.reader(sheet, strict=True)
    try:
        columns = CsvColumns(next(reader, []))
        if key not in columns.names:
            raise CsvColumnsFault(f"has no column {key}")
        rows = _rows(key, columns, reader)
    except (csv.Error, CsvColumnsFault) as error:
        raise ConfigurationFault(f"{file}, line {reader.line_num}: {error}") from error
    return Table(key, tuple(columns.names), rows)


def _rows(
    key: str,
    columns: CsvColumns,
    reader: Iterator[list[str]],
) -> dict[str, Mapping[str, str]]:
    """Return the rows by their key; empty lines and rows of commas only are skipped.

    :raises CsvColumnsFault: a row does not fit the columns, or has no key or the key of another row.
    """
    rows: dict[str, Mapping[str, str]] = {}
    for cells in reader:
        if is_blank(cells):
            continue
        texts = [read_cell(cell) for cell in columns.cells(cells)]
        row = dict(zip(columns.names, texts, strict=True))
        if not row[key]:
            raise CsvColumnsFault(f"has no {key}")
        if row[key] in rows:
            raise CsvColumnsFault(f"repeats the {key} {row[key]}")
        rows[row[key]] = row
    return rows


def _csv(table: Table) -> str:
    sheet = io.StringIO(newline="")
    writer = csv.DictWriter(sheet, table.columns, lineterminator="\n")
    writer.writeheader()
    # In the order of the keys, so that two exports of one configuration are the same file.
    for key in sorted(table.rows):
        row = table.rows[key]
        writer.writerow({name: restorable_cell(cell) for name, cell in row.items()})
    return sheet.getvalue()
