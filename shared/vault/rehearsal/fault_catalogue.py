"""Lists the faults that can be switched on; a new fault is a class, or an instance of a class, and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from shared.protocol.error_types import ErrorType
from shared.vault.rehearsal.answered_faults import (
    Refusal,
    ServerError,
    TooManyRequests,
)
from shared.vault.rehearsal.connection_faults import (
    BurstDelay,
    CutAnswer,
    Silence,
    SlowBytes,
)
from shared.vault.rehearsal.fault import Fault, QueueFault, Treatment
from shared.vault.rehearsal.page_faults import FewerRows

QUERIES = "/api/*/query"
LATER_PAGES = "/api/*/query/*"
SIGN_INS = "/api/*/auth"


def _server_errors() -> tuple[Fault, ...]:
    """Return the errors of servers, each as a page and as the Vault's JSON."""
    statuses = (
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
    )
    made: list[Fault] = []
    for status in statuses:
        for html, form in ((True, "html"), (False, "json")):
            name = f"status_{status.value}_{form}"
            label = f"HTTP {status.value} in {form.upper()}"
            made.append(ServerError(name=name, label=label, status=status, html=html))
    return tuple(made)


_LISTED: tuple[Fault, ...] = (
    BurstDelay(name="burst_delay", label="Delay of the burst limit", seconds=2),
    Refusal(
        name="api_limit_exceeded",
        label="API_LIMIT_EXCEEDED",
        type=ErrorType.API_LIMIT_EXCEEDED,
        message="The limit of calls is exceeded; try again later",
    ),
    TooManyRequests(
        name="too_many_requests", label="HTTP 429 with Retry-After", seconds=5
    ),
    *_server_errors(),
    Silence(
        name="timeout_after_effect",
        label="No answer, the call carried out",
        seconds=60,
        carried_out=True,
    ),
    Silence(
        name="timeout_before_effect",
        label="No answer, the call not carried out",
        seconds=60,
        carried_out=False,
    ),
    CutAnswer(name="cut_answer", label="Connection cut in the middle of the answer"),
    SlowBytes(name="slow_bytes", label="Answer sent slowly", seconds=10),
    Refusal(
        name="invalid_session",
        label="INVALID_SESSION_ID",
        type=ErrorType.INVALID_SESSION_ID,
        message="Invalid or expired session ID",
    ),
    Refusal(
        name="expired_next_page",
        label="Expired next_page",
        path=LATER_PAGES,
        type=ErrorType.INVALID_DATA,
        message="There is no such query page",
    ),
    FewerRows(
        name="fewer_rows", label="Fewer rows than asked for", path="/api/*/query/**"
    ),
    Refusal(
        name="costly_query",
        label="Query that is too costly",
        path=QUERIES,
        type=ErrorType.OPERATION_NOT_ALLOWED,
        message="The query was stopped after 60 seconds [query timeout]",
    ),
    Refusal(
        name="password_change_required",
        label="Password that has to be changed",
        path=SIGN_INS,
        type=ErrorType.PASSWORD_CHANGE_REQUIRED,
        message="The user must change their password before signing in.",
    ),
    QueueFault(
        name="delivery_delayed",
        label="Delivery delayed",
        seconds=60,
        treatment=Treatment(),
    ),
    QueueFault(
        name="delivered_twice",
        label="Delivered twice",
        treatment=Treatment(copies=2),
    ),
    QueueFault(
        name="out_of_order",
        label="Delivered out of order",
        seconds=60,
        treatment=Treatment(until_overtaken=True),
    ),
)

FAULTS: Mapping[str, Fault] = {fault.name: fault for fault in _LISTED}
"""All faults by name, in the order in which they are shown."""
