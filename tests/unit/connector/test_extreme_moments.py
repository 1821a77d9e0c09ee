"""The connector reads numbers and moments at the ends of their ranges, or refuses them."""

from __future__ import annotations

import pytest

from services.connector.points.evaluation import OutdatedRead
from services.connector.points.transfer import SourceStates
from services.connector.preview.sweep_routes import _moment
from services.connector.processing.inbox import _whole
from shared.client.errors import VaultRefused
from shared.client.results import RowResult
from shared.protocol.error_types import ErrorType

LAST = "9999-12-31T23:59:59.999Z"


@pytest.mark.parametrize(
    "text",
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "10000-01-01", ""],
)
def test_a_dry_run_since_no_moment_of_the_calendar(text: str) -> None:
    with pytest.raises(VaultRefused) as refused:
        _moment(text)
    assert refused.value.type == ErrorType.INVALID_DATA


@pytest.mark.parametrize(
    ("header", "number"),
    [("10101", 10101), (10101, 10101), ("9" * 5000, None), ("²", None), (True, None)],
)
def test_the_sender_in_a_header(header: object, number: int | None) -> None:
    assert _whole(header) == number


def test_a_stored_state_of_the_last_moment_has_none_behind_it() -> None:
    states = SourceStates()
    refused = {"key": RowResult(ok=True, newer=LAST)}
    with pytest.raises(OutdatedRead):
        states.check("thing__c", refused)
    assert states.moment("thing__c", "key", "2026-01-31T00:00:00.000Z") == LAST
