"""Envelopes: the exact JSON that clients of the API rely on."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.errors import MAX_ERRORS, ApiError
from shared.vault.records.rows import CREATED, UPDATED, RowResult

URL = "/api/v25.1/vobjects/product__v"
INVALID = ApiError(ErrorType.INVALID_DATA, "Invalid id")


def body(response: Response) -> dict[str, Any]:
    decoded = orjson.loads(response.body)
    assert isinstance(decoded, dict)
    assert response.headers["x-vaultapi-status"] == decoded["responseStatus"]
    return decoded


def test_success_takes_encoded_json_as_it_is() -> None:
    response = envelope.success(data=[orjson.Fragment(b'{"id":"1"}')])
    assert response.body == b'{"responseStatus":"SUCCESS","data":[{"id":"1"}]}'
    assert response.headers["content-type"] == "application/json;charset=UTF-8"


def test_failure_is_http_200() -> None:
    response = envelope.failure(INVALID)
    assert response.status_code == 200
    assert body(response) == {
        "responseStatus": "FAILURE",
        "errors": [{"type": "INVALID_DATA", "message": "Invalid id"}],
    }


def test_failed_sign_in_names_the_kind_of_error() -> None:
    assert body(envelope.failure(INVALID, error_type=envelope.AUTHENTICATION_FAILED))[
        "errorType"
    ] == ("AUTHENTICATION_FAILED")


def test_exception_carries_its_http_status() -> None:
    response = envelope.exception(ApiError(ErrorType.UNEXPECTED_ERROR, "later"), 503)
    assert response.status_code == 503
    assert body(response)["responseStatus"] == "EXCEPTION"


def test_batch_rows_stand_in_input_order_and_failures_leave_it_success() -> None:
    results = [
        RowResult("00P1", UPDATED, "E-1"),
        RowResult(id_param_value="E-2", errors=(INVALID,)),
        RowResult(errors=(INVALID, ApiError(ErrorType.PARAMETER_REQUIRED, "Missing"))),
        RowResult("00P2", CREATED),
    ]
    errors = [{"type": "INVALID_DATA", "message": "Invalid id"}]
    assert body(envelope.batch(results, URL)) == {
        "responseStatus": "SUCCESS",
        "data": [
            {
                "responseStatus": "SUCCESS",
                "data": {
                    "id": "00P1",
                    "url": f"{URL}/00P1",
                    "event": "updated__sys",
                    "id_param_value": "E-1",
                },
            },
            {
                "responseStatus": "FAILURE",
                "data": {"id_param_value": "E-2"},
                "errors": errors,
            },
            {
                "responseStatus": "FAILURE",
                "errors": [
                    *errors,
                    {"type": "PARAMETER_REQUIRED", "message": "Missing"},
                ],
            },
            {
                "responseStatus": "SUCCESS",
                "data": {"id": "00P2", "url": f"{URL}/00P2", "event": "created__sys"},
            },
        ],
    }


def test_an_unchanged_row_makes_the_envelope_a_warning() -> None:
    document = body(
        envelope.batch(
            [RowResult("1", warning="No changes"), RowResult("2", UPDATED)], URL
        )
    )
    warning = [{"warning_type": "NO_DATA_CHANGES", "message": "No changes"}]
    assert (document["responseStatus"], document["warnings"]) == ("WARNING", warning)
    assert [row["responseStatus"] for row in document["data"]] == ["WARNING", "SUCCESS"]
    assert document["data"][0]["warnings"] == warning


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        ("done", "SUCCESS"),
        ("failed", "SUCCESS"),
        ("done failed", "SUCCESS"),
        ("unchanged", "WARNING"),
        ("done unchanged", "WARNING"),
        ("failed unchanged", "WARNING"),
        ("done failed unchanged", "WARNING"),
    ],
)
def test_an_unchanged_row_decides_whatever_became_of_the_others(
    rows: str, status: str
) -> None:
    results = {
        "done": RowResult(id="1", event=UPDATED),
        "failed": RowResult(errors=(INVALID,)),
        "unchanged": RowResult(id="2", warning="No changes"),
    }
    sent = [results[row] for row in rows.split()]
    assert body(envelope.batch(sent, URL))["responseStatus"] == status
    table = envelope.results_csv(sent)
    assert table.headers["x-vaultapi-status"] == status


def test_deleted_rows_have_no_address() -> None:
    assert body(envelope.batch([RowResult("1")], None))["data"] == [
        {"responseStatus": "SUCCESS", "data": {"id": "1"}}
    ]


def test_one_record_is_an_object() -> None:
    assert body(envelope.single(RowResult("1", CREATED), URL)) == {
        "responseStatus": "SUCCESS",
        "data": {"id": "1", "url": f"{URL}/1", "event": "created__sys"},
    }
    assert (
        body(envelope.single(RowResult(errors=(INVALID,)), URL))["responseStatus"]
        == "FAILURE"
    )
    assert (
        body(envelope.single(RowResult("1", warning="No changes"), URL))[
            "responseStatus"
        ]
        == "WARNING"
    )


def test_bulk_action_rows_have_the_id_next_to_the_status() -> None:
    assert body(
        envelope.action_batch([RowResult("a"), RowResult("b", errors=(INVALID,))])
    )["data"] == [
        {"responseStatus": "SUCCESS", "id": "a"},
        {
            "responseStatus": "FAILURE",
            "id": "b",
            "errors": [{"type": "INVALID_DATA", "message": "Invalid id"}],
        },
    ]


def test_an_answer_names_some_of_the_errors_of_a_row_and_counts_the_others() -> None:
    errors = tuple([INVALID] * (MAX_ERRORS + 7))
    result = RowResult(errors=errors)
    (row,) = body(envelope.batch([result], URL))["data"]
    assert len(row["errors"]) == MAX_ERRORS + 1
    assert row["errors"][-1]["message"] == "There are at least 7 more errors"
    text = bytes(envelope.results_csv([result]).body)
    assert text.count(b"INVALID_DATA|") == MAX_ERRORS + 1
