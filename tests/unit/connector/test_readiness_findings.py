"""What is found wrong with one end of a connection, and which of it prevents transfers."""

from __future__ import annotations

import pytest

from services.connector.readiness.findings import Finding, Step, of_connection
from services.connector.vaults.configuration import Connection

VAULT = 10101
NAME = "medical_crm__v"


def connection(
    *,
    remote: int | None = 20202,
    active: bool = True,
    pending: bool = False,
    external: bool = False,
    guarded: bool = False,
) -> Connection:
    return Connection(
        "C1",
        NAME,
        remote,
        active,
        pending=pending,
        external=external,
        guarded=guarded,
    )


@pytest.mark.parametrize(
    ("known", "steps"),
    [
        (None, [Step.CONNECTION]),
        (connection(), []),
        (connection(active=False), [Step.CONNECTION]),
        (connection(active=False, pending=True), [Step.CONNECTION]),
        (connection(remote=None), [Step.REMOTE_VAULT]),
        (connection(remote=None, external=True), []),
        (connection(guarded=True), [Step.REMOTE_VAULT]),
        (connection(active=False, remote=None), [Step.CONNECTION, Step.REMOTE_VAULT]),
    ],
)
def test_what_keeps_an_end_from_use(
    known: Connection | None, steps: list[Step]
) -> None:
    found = of_connection(VAULT, NAME, known)
    assert [finding.step for finding in found] == steps


@pytest.mark.parametrize("step", Step)
def test_open_exceptions_alone_prevent_no_transfer(step: Step) -> None:
    finding = Finding(step, VAULT, NAME, "message")
    assert finding.prevents_transfer is (step is not Step.EXCEPTIONS)
