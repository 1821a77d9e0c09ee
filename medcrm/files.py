"""Reads and writes the files that commands name; a fault names the file and says what to correct."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import typer

from medcrm.console_session import ConsoleFault
from shared.protocol.csv_cells import read_cell
from shared.protocol.csv_columns import SAVE_AS, CsvColumns, CsvColumnsFault, is_blank


def target_file(file: Path | None) -> Path | None:
    """Return the file that an option names for writing, before the command does work whose result would be lost.

    :raises typer.BadParameter: it is a folder, or its folder does not exist.
    """
    if file is not None and file.is_dir():
        raise typer.BadParameter(f"{file} is a folder")
    if file is not None and not file.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {file.parent}")
    return file


def target_folder(folder: Path) -> Path:
    """Return the folder that an argument names for writing; it need not exist.

    :raises typer.BadParameter: it, or what would be above it, is no folder.
    """
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            raise typer.BadParameter(f"{place} is not a folder")
    return folder


def write_text(file: Path, text: str) -> None:
    """Write a text whose line ends stay what they are.

    :raises OSError: the file cannot be written.
    """
    file.write_text(text, "utf-8", newline="")


def rows_to_upload(file: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file by column name.

    :raises ConsoleFault: the file cannot be used, or has no rows.
    :raises OSError: the file cannot be read.
    """
    try:
        rows = csv_rows(file.read_text("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConsoleFault(f"{file} is not UTF-8 text; {SAVE_AS}") from error
    except CsvColumnsFault as error:
        raise ConsoleFault(f"{file}: {error}") from error
    if not rows:
        raise ConsoleFault(f"{file} has no rows below the column names")
    return rows


def csv_rows(sheet: str) -> list[dict[str, str]]:
    """Return the rows of CSV by column name; empty lines and rows of commas only are skipped.

    :raises CsvColumnsFault: the text is no CSV, or a row does not fit the columns; the error names the line.
    """
    reader = csv.reader(io.StringIO(sheet, newline=""), strict=True)
    rows = []
    try:
        columns = CsvColumns(next(reader, []))
        for cells in reader:
            if is_blank(cells):
                continue
            texts = [read_cell(cell) for cell in columns.cells(cells)]
            rows.append(dict(zip(columns.names, texts, strict=True)))
    except csv.Error as error:
        raise CsvColumnsFault(f"line {reader.line_num}: {error}") from error
    except CsvColumnsFault as error:
        line = max(reader.line_num, 1)
        raise CsvColumnsFault(f"line {line} {error}") from error
    return rows
