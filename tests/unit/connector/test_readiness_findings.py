"""The faults of one end of a connection, and which of them prevent transfers."""

from __future__ import annotations

import pytest

from services.connector.readiness.findings import Finding, of_connection
from services.connector.vaults.configuration import Connection
from shared.protocol.readiness_steps import ReadinessStep

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
        (None, [ReadinessStep.CONNECTION]),
        (connection(), []),
        (connection(active=False), [ReadinessStep.CONNECTION]),
        (connection(active=False, pending=True), [ReadinessStep.CONNECTION]),
        (connection(remote=None), [ReadinessStep.REMOTE_VAULT]),
        (connection(remote=None, external=True), []),
        (connection(guarded=True), [ReadinessStep.REMOTE_VAULT]),
        (
            connection(active=False, remote=None),
            [ReadinessStep.CONNECTION, ReadinessStep.REMOTE_VAULT],
        ),
    ],
)
def test_what_keeps_an_end_from_use(
    known: Connection | None, steps: list[ReadinessStep]
) -> None:
    found = of_connection(VAULT, NAME, known)
    assert [finding.step for finding in found] == steps


@pytest.mark.parametrize("step", ReadinessStep)
def test_open_exceptions_alone_prevent_no_transfer(step: ReadinessStep) -> None:
    finding = Finding(step, VAULT, NAME, "message")
    assert finding.prevents_transfer is (step is not ReadinessStep.EXCEPTIONS)
