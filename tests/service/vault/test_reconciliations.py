"""Reconciliations in the Vault: requested, reported slice by slice, counted once, and recorded with their findings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from local.polling import answers_within
from tests.service.vault.served import Answer, Api

PATH = "/services/reconciliations"
POINT = "account_inbound__v"
CONNECTION = "medical_crm__v"


class Reconciliations:
    """An active connection, its administrator, and the connection's user who does the work of a connector."""

    def __init__(self, admin: Api, connector: Api) -> None:
        self.admin, self.connector = admin, connector

    async def requested(self, **scope: Any) -> int:
        answer = await self.admin.post(PATH, json={"connection": CONNECTION, **scope})
        job_id: int = answer.body["job_id"]
        clock = (await self.connector.get("/services/clock")).data

        async def reason() -> str | None:
            progress = {"source_time": clock["date_time"]}
            path = f"{PATH}/{job_id}"
            begun = (await self.connector.put(path, json=progress)).data
            return None if begun["source_time"] else "it has not begun"

        assert await answers_within(20, reason) is None
        return job_id

    async def one(self, job_id: int) -> dict[str, Any]:
        data: dict[str, Any] = (await self.connector.get(f"{PATH}/{job_id}")).data
        return data

    async def becomes(self, job_id: int, *statuses: str) -> dict[str, Any]:
        async def reason() -> str | None:
            status = (await self.one(job_id))["status"]
            return None if status in statuses else f"it is {status}"

        assert await answers_within(20, reason) is None
        return await self.one(job_id)

    async def report(self, job_id: int, number: int, **members: Any) -> Answer:
        body = {"integration_point": POINT, "object": "account__v", **members}
        return await self.connector.put(f"{PATH}/{job_id}/slices/{number}", json=body)

    async def ended(self, job_id: int) -> dict[str, Any]:
        return await self.becomes(job_id, "SUCCESS", "ERRORS_ENCOUNTERED")

    async def results(self, job_id: int) -> Any:
        return (await self.admin.get(f"/services/jobs/{job_id}")).data


@pytest.fixture
async def reconciliations(
    admin: Api, integration: Api
) -> AsyncIterator[Reconciliations]:
    made = Reconciliations(admin, integration)
    yield made
    for stored in (await admin.get(PATH)).data:
        if stored["status"] == "RUNNING":
            await integration.put(f"{PATH}/{stored['job_id']}", json={"error": "over"})
            await made.ended(stored["job_id"])


async def test_findings_are_looked_at_again_and_recorded(
    reconciliations: Reconciliations,
) -> None:
    job_id = await reconciliations.requested()
    lines = [
        "missing V4T000000000001 person__sys",
        "different V4T000000000002 person__sys.name__v",
        "extra V4T000000000003 case_contact_source_data__v",
        "missing V4T000000000004 person__sys",
    ]
    await reconciliations.report(job_id, 1, equal=7, items=lines, position="a")
    # A slice that is delivered twice counts once.
    await reconciliations.report(job_id, 1, equal=7, items=lines, position="b")
    await reconciliations.report(job_id, 2, equal=3, ended=True)
    stored = await reconciliations.one(job_id)
    assert stored["phase"] == "look_again"
    assert stored["candidates"]["items"] == [line.split()[1] for line in lines]
    again = [*lines[:3], "equal V4T000000000004"]
    await reconciliations.report(job_id, 3, items=again)
    stored = await reconciliations.ended(job_id)
    assert stored["phase"] == "done", stored
    results = await reconciliations.results(job_id)
    counts = stored["counts"]
    assert (counts["expected"], counts["equal"]) == (13, 11), results
    assert (counts["missing"], counts["different"], counts["extra"]) == (1, 1, 1)
    assert stored["different_fields"] == {"person__sys.name__v": 1}, results
    rows = await reconciliations.admin.query(
        "SELECT kind__sys, source_record__sys, details__sys FROM reconciliation_finding__sys "
        f"WHERE reconciliation__sysr.job_id__sys = '{job_id}' ORDER BY source_record__sys"
    )
    assert [row["kind__sys"] for row in rows.data] == [
        ["missing__sys"],
        ["different__sys"],
        ["extra__sys"],
    ]
