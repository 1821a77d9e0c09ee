"""Runs reconciliations of a Vault with a remote Vault, follows them, and shows the results."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from medcrm.configuration import ConfigurationFault
from medcrm.tables import Progress, aligned
from shared.client import VaultClient
from shared.client.results import Row, mapping, text, whole
from shared.protocol.reconciliation_verdicts import FINDINGS, Verdict

POLL_SECONDS = 0.5
COLUMNS = (
    "expected",
    *(
        verdict.value
        for verdict in (
            Verdict.EQUAL,
            Verdict.MISSING,
            Verdict.DIFFERENT,
            Verdict.FAILING,
            Verdict.UNDER_WAY,
            Verdict.EXPLAINED,
            Verdict.EXTRA,
            Verdict.NOT_ALLOWED,
        )
    ),
)
_UNFINISHED = ("SCHEDULED", "QUEUED", "QUEUEING", "RUNNING")


async def reconcile(
    client: VaultClient,
    scope: Mapping[str, str],
    progress: Progress,
) -> Row:
    """Run a reconciliation of ``scope``, and return it when it has ended.

    ``progress`` is called with the number of compared records, and that of the last reconciliation of the same scope.

    :raises ConfigurationFault: the reconciliation ended before everything was compared.
    :raises ClientError: the Vault is away or refuses.
    """
    expected = await _last_expected(client, scope)
    job = await client.request_reconciliation(scope)
    while True:
        state = await client.reconciliation(job)
        counts = mapping(state.get("counts"), "counts")
        progress(whole(counts.get("expected"), "expected"), expected)
        if state.get("status") not in _UNFINISHED:
            break
        await asyncio.sleep(POLL_SECONDS)
    if state.get("error"):
        raise ConfigurationFault(text(state, "error"))
    if state.get("phase") != "done":
        raise ConfigurationFault(
            f"The reconciliation ended as {text(state, 'status')} before everything was compared; "
            f"job {job} says why"
        )
    return state


async def _last_expected(client: VaultClient, scope: Mapping[str, str]) -> int:
    """Return the number of records that an earlier reconciliation of the same scope has compared; 0 without one."""
    names = ("integration", "integration_point")
    for stored in await client.reconciliations(scope.get("connection", "")):
        same = all(text(stored, name) == scope.get(name, "") for name in names)
        if same and stored.get("status") in ("SUCCESS", "ERRORS_ENCOUNTERED"):
            counts = mapping(stored.get("counts"), "counts")
            return whole(counts.get("expected"), "expected")
    return 0


def number_of_findings(state: Row) -> int:
    """Return the number of findings of a reconciliation."""
    counts = mapping(state.get("counts"), "counts")
    return sum(whole(counts.get(verdict.value), verdict.value) for verdict in FINDINGS)


def table(state: Row) -> list[str]:
    """Return the counts as lines: one for each integration point, one for the sum, and one for each differing field."""
    by_point = mapping(state.get("integration_points"), "integration_points")
    parts = {point: mapping(by_point[point], point) for point in sorted(by_point)}
    parts["total"] = mapping(state.get("counts"), "counts")
    rows = [["", *COLUMNS]]
    rows += [
        [name, *(str(counts.get(column, 0)) for column in COLUMNS)]
        for name, counts in parts.items()
    ]
    lines = aligned(rows)
    fields = mapping(state.get("different_fields"), "different_fields")
    lines += [f"different: {name} in {number}" for name, number in fields.items()]
    return lines
