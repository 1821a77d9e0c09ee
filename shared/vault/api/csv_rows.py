"""CSV, RFC 4180: rows that a caller sends, and row results that a caller asks for as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api.response_envelope import STATUS_HEADER, Status
from shared.vault.errors import ApiError, VaultFault
from shared.vault.records.rows import RowResult

HEADER = ("responseStatus", "id", "event", "id_param_value", "errors")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def parse_csv(text: str, max_rows: int) -> list[dict[str, object]]:
    """The data rows of a CSV text, by the names in its first line; cells are text, empty lines are skipped.

    :raises VaultFault: INVALID_DATA when it is not CSV, names are missing or repeated, or rows are too many.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[dict[str, object]] = []
    try:
        header = _header(next(reader, []))
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise _invalid(
                    f"line {reader.line_num} has {len(cells)} cells; the header has {len(header)}"
                )
            if len(rows) == max_rows:
                raise VaultFault(
                    ErrorType.INVALID_DATA, f"A call takes at most {max_rows} rows"
                )
            rows.append(dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise _invalid(f"line {reader.line_num}: {error}") from error
    return rows


def results_csv(results: Sequence[RowResult]) -> Response:
    """Row results as CSV; a row's errors share one cell, each ``TYPE|message``."""
    sheet = io.StringIO(newline="")
    writer = csv.writer(sheet, lineterminator="\r\n")
    writer.writerow(HEADER)
    for result in results:
        cells = (
            _status(result),
            result.id,
            result.event,
            result.id_param_value,
            _errors(result.errors),
        )
        writer.writerow([safe_cell(cell or "") for cell in cells])
    outcome = (
        Status.WARNING if any(result.warning for result in results) else Status.SUCCESS
    )
    return Response(
        sheet.getvalue().encode(),
        200,
        {STATUS_HEADER: outcome},
        "text/csv;charset=UTF-8",
    )


def safe_cell(text: str) -> str:
    """The text in a form that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _header(names: Sequence[str]) -> list[str]:
    header = [name.strip() for name in names]
    if not all(header):
        raise _invalid("a column has no name")
    if len(set(header)) != len(header):
        raise _invalid("a column name is repeated")
    return header


def _status(result: RowResult) -> Status:
    if result.errors:
        return Status.FAILURE
    return Status.WARNING if result.warning else Status.SUCCESS


def _errors(errors: Sequence[ApiError]) -> str:
    return "\n".join(f"{error.type}|{error.message}" for error in errors)


def _invalid(reason: str) -> VaultFault:
    return VaultFault(ErrorType.INVALID_DATA, f"The body is not valid CSV: {reason}")
