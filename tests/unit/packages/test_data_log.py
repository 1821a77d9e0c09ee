"""The log of a package's data has the final result of each row."""

from __future__ import annotations

import csv
from typing import cast

import pytest

from shared.protocol.error_types import ErrorType
from shared.vault.errors import ApiError
from shared.vault.packages.package_model import Step
from shared.vault.packages.package_reports import DATA_LOG_HEADER, data_log_lines
from shared.vault.records.rows import RowResult


class NumberedStep:
    identity = "PKG-0001"


REFUSED = RowResult(errors=(ApiError(ErrorType.INVALID_DATA, "no such country"),))
CREATED = RowResult(id="V1", event="created__sys")


@pytest.mark.parametrize(
    ("row", "saved", "expected"),
    [
        (CREATED, True, ("SUCCESS", "V1", "created__sys", "")),
        (REFUSED, True, ("FAILURE", "", "", "INVALID_DATA|no such country")),
        (REFUSED, False, ("FAILURE", "", "", "INVALID_DATA|no such country")),
    ],
)
def test_a_row(row: RowResult, saved: bool, expected: tuple[str, ...]) -> None:
    assert logged(row, saved=saved) == expected


def test_a_row_that_was_undone_with_its_neighbours_is_no_success() -> None:
    status, record_id, event, error = logged(CREATED, saved=False)
    assert (status, record_id, event) == ("FAILURE", "", "")
    assert error.startswith("OPERATION_NOT_ALLOWED|Not saved")


def logged(row: RowResult, *, saved: bool) -> tuple[str, ...]:
    text = DATA_LOG_HEADER + data_log_lines(
        cast("Step", NumberedStep()), [row], 1, saved=saved
    )
    (line,) = csv.DictReader(text.splitlines())
    names = ("responseStatus", "id", "event", "errors")
    return tuple(line[name] for name in names)
