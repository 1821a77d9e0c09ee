"""The envelopes of the API: every answer's shape, success or error, is made here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import orjson
from starlette.responses import Response

from shared.protocol.date_times import date_time_text
from shared.vault.components.platform import SOURCE_MODIFIED
from shared.vault.errors import ApiError
from shared.vault.records.rows import RowResult

JSON = "application/json;charset=UTF-8"
STATUS_HEADER = "X-VaultAPI-Status"
AUTHENTICATION_FAILED = "AUTHENTICATION_FAILED"
NO_DATA_CHANGES = "NO_DATA_CHANGES"
NEWER_SOURCE_STATE = "NEWER_SOURCE_STATE"


class Status(StrEnum):
    """Values of ``responseStatus``: FAILURE is the caller's fault, EXCEPTION the server's."""

    SUCCESS = "SUCCESS"
    WARNING = "WARNING"
    FAILURE = "FAILURE"
    EXCEPTION = "EXCEPTION"


def answer(
    status: Status, members: Mapping[str, object], http_status: int = 200
) -> Response:
    """An envelope as a response; values may be ``orjson.Fragment`` where the JSON is there already."""
    body = orjson.dumps({"responseStatus": status, **members})
    return Response(body, http_status, {STATUS_HEADER: status}, JSON)


def success(**members: object) -> Response:
    """A SUCCESS envelope with these members; ``data=…`` as a rule."""
    return answer(Status.SUCCESS, members)


def failure(error: ApiError, *, error_type: str | None = None) -> Response:
    """A FAILURE envelope with one error; HTTP 200, as for everything that the Vault itself has processed."""
    return failures([error], error_type=error_type)


def failures(
    errors: Sequence[ApiError],
    members: Mapping[str, object] | None = None,
    *,
    error_type: str | None = None,
) -> Response:
    """A FAILURE envelope with all its errors, and what further ``members`` the endpoint gives."""
    body: dict[str, object] = {
        "responseMessage": None,
        "errors": errors_json(errors),
        **(members or {}),
    }
    if error_type is not None:
        body["errorType"] = error_type
    return answer(Status.FAILURE, body)


def exception(error: ApiError, http_status: int) -> Response:
    """An EXCEPTION envelope: the request may have been right, the server was not."""
    return answer(
        Status.EXCEPTION,
        {"responseMessage": None, "errors": errors_json([error])},
        http_status,
    )


def errors_json(errors: Sequence[ApiError]) -> list[dict[str, str]]:
    """The ``errors`` list of an envelope or of one row."""
    return [{"type": error.type, "message": error.message} for error in errors]


def batch(results: Sequence[RowResult], records_url: str | None) -> Response:
    """The outcome of a record call, row by row in input order.

    ``records_url`` is the object's collection (``/api/{v}/vobjects/{object}``), the head of each record's own
    url, or None where the records are gone. Failed rows leave the envelope SUCCESS; a row without changes makes
    it WARNING.
    """
    rows = [_row(result, records_url) for result in results]
    return _outcome(results, rows)


def single(result: RowResult, records_url: str | None) -> Response:
    """The outcome of a record call with one record sent as a form: ``data`` is an object."""
    if not result.ok:
        return failures(result.errors)
    return _outcome([result], _row_data(result, records_url))


def unchanged(message: str, data: object) -> Response:
    """A call that would have changed nothing: WARNING, and what there is as ``data``."""
    return answer(Status.WARNING, {"warnings": no_changes(message), "data": data})


def no_changes(message: str) -> list[dict[str, str]]:
    """The ``warnings`` of a row or call that would have changed nothing."""
    return [{"warning_type": NO_DATA_CHANGES, "message": message}]


def action_batch(results: Sequence[RowResult]) -> Response:
    """The outcome of a user action on several records; rows carry the id beside the status."""
    return success(data=[_action_row(result) for result in results])


def _outcome(results: Sequence[RowResult], data: object) -> Response:
    first = next((result for result in results if result.warning), None)
    if first is None:
        return answer(Status.SUCCESS, {"data": data})
    return answer(Status.WARNING, {"warnings": _warnings(first), "data": data})


def _row(result: RowResult, records_url: str | None) -> dict[str, object]:
    data = _row_data(result, records_url)
    if result.errors:
        failed: dict[str, object] = {"responseStatus": Status.FAILURE}
        if data:
            failed["data"] = data
        failed["errors"] = errors_json(result.errors)
        return failed
    if result.warning:
        return {
            "responseStatus": Status.WARNING,
            "data": data,
            "warnings": _warnings(result),
        }
    return {"responseStatus": Status.SUCCESS, "data": data}


def _row_data(result: RowResult, records_url: str | None) -> dict[str, str]:
    data: dict[str, str] = {}
    if result.id is not None:
        data["id"] = result.id
    if result.id is not None and result.ok and records_url is not None:
        data["url"] = f"{records_url}/{result.id}"
    if result.event is not None:
        data["event"] = result.event
    if result.id_param_value is not None:
        data["id_param_value"] = result.id_param_value
    if (newer := date_time_text(result.newer)) is not None:
        data[SOURCE_MODIFIED.name] = newer
    return data


def _action_row(result: RowResult) -> dict[str, object]:
    if result.ok:
        return {"responseStatus": Status.SUCCESS, "id": result.id}
    return {
        "responseStatus": Status.FAILURE,
        "id": result.id,
        "errors": errors_json(result.errors),
    }


def _warnings(result: RowResult) -> list[dict[str, str | None]]:
    kind = NO_DATA_CHANGES if result.newer is None else NEWER_SOURCE_STATE
    return [{"warning_type": kind, "message": result.warning}]
