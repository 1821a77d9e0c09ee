"""A configuration in a folder: ``components/{Type.name}.mdl``, one a file, and ``records/{object}.csv``."""

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

COMPONENTS = "components"
RECORDS = "records"
MAX_FILE_BYTES = 20 * 2**20


def read_folder(folder: Path) -> Configuration:
    """The configuration in a folder; raises ConfigurationFault naming the file that cannot be used."""
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
    """Make the folder say what the configuration says; the numbers of files written anew and removed."""
    wanted = {
        folder / COMPONENTS / f"{c.name}.mdl": c.text
        for c in configuration.components.values()
    }
    wanted |= {
        folder / RECORDS / f"{name}.csv": _csv(table)
        for name, table in configuration.tables.items()
    }
    existing = {*(folder / COMPONENTS).glob("*.mdl"), *(folder / RECORDS).glob("*.csv")}
    for part in (COMPONENTS, RECORDS):
        (folder / part).mkdir(parents=True, exist_ok=True)
    written = 0
    for file, text in wanted.items():
        content = text.encode()
        if file not in existing or file.read_bytes() != content:
            file.write_bytes(content)
            written += 1
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
    reader = csv.DictReader(
        io.StringIO(_text(file), newline=""), strict=True, restval=None
    )
    rows: dict[str, Mapping[str, str]] = {}
    try:
        columns = tuple(reader.fieldnames or ())
        if key not in columns or len(set(columns)) != len(columns) or not all(columns):
            raise ConfigurationFault(
                f"{file}: the first line must name the fields, each once, {key} among them"
            )
        for row in reader:
            if None in row or None in row.values() or not row[key]:
                raise ConfigurationFault(
                    f"{file}, line {reader.line_num}: not a cell for every field, or no {key}"
                )
            if rows.setdefault(row[key], row) is not row:
                raise ConfigurationFault(
                    f"{file}, line {reader.line_num}: {key} {row[key]} comes twice"
                )
    except csv.Error as error:
        raise ConfigurationFault(f"{file}, line {reader.line_num}: {error}") from error
    return Table(key, columns, rows)


def _csv(table: Table) -> str:
    sheet = io.StringIO(newline="")
    writer = csv.DictWriter(sheet, table.columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table.rows[key] for key in sorted(table.rows))
    return sheet.getvalue()
