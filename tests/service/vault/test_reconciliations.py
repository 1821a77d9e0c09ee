"""Reconciliations in the Vault: requested, reported slice by slice, counted once, and recorded with their findings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from local.polling import answers_within
from tests.service.vault.browsing import browser
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
        await self.begun(job_id)
        return job_id

    async def begun(self, job_id: int) -> None:
        """Report the source's clock as a connector does, once the job is running."""
        clock = (await self.connector.get("/services/clock")).data

        async def reason() -> str | None:
            progress = {"source_time": clock["date_time"]}
            path = f"{PATH}/{job_id}"
            begun = (await self.connector.put(path, json=progress)).data
            return None if begun["source_time"] else "it has not begun"

        assert await answers_within(60, reason) is None

    async def one(self, job_id: int) -> dict[str, Any]:
        data: dict[str, Any] = (await self.connector.get(f"{PATH}/{job_id}")).data
        return data

    async def becomes(self, job_id: int, *statuses: str) -> dict[str, Any]:
        async def reason() -> str | None:
            status = (await self.one(job_id))["status"]
            return None if status in statuses else f"it is {status}"

        assert await answers_within(60, reason) is None
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
    # Others request them by the same call, and have no connector either.
    await end_all(made)
    yield made
    await end_all(made)


async def end_all(made: Reconciliations) -> None:
    listed = (await made.admin.get(PATH)).data
    for stored in reversed(listed):
        if stored["status"] in ("QUEUED", "RUNNING"):
            path = f"{PATH}/{stored['job_id']}"
            await made.begun(stored["job_id"])
            await made.connector.put(path, json={"error": "over"})
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
    # Findings are its result, and no failure of its own.
    assert (stored["phase"], stored["status"]) == ("done", "SUCCESS"), stored
    results = await reconciliations.results(job_id)
    assert stored["findings"] == 3
    assert results["tasks"] == {"size": 1, "success": 1}
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


async def test_at_most_one_of_a_connection_waits(
    reconciliations: Reconciliations,
) -> None:
    admin = reconciliations.admin
    first = await reconciliations.requested()
    scope = {"connection": CONNECTION}
    second = (await admin.post(PATH, json=scope)).body["job_id"]
    assert (await reconciliations.one(second))["status"] == "QUEUED"
    part = {**scope, "integration_point": POINT}
    # The one that waits compares the part as well; with another window it would say something else.
    assert (await admin.post(PATH, json=part)).body["job_id"] == second
    other = await admin.post(PATH, json={**scope, "window_minutes": "3"})
    assert other.error == "OPERATION_NOT_ALLOWED"
    await reconciliations.report(first, 1, ended=True)
    await reconciliations.ended(first)
    await reconciliations.begun(second)


@pytest.mark.parametrize(
    ("scope", "error"),
    [
        ({}, "PARAMETER_REQUIRED"),
        ({"connection": "nothing__c"}, "INVALID_DATA"),
        ({"connection": CONNECTION, "integration": "nothing__c"}, "INVALID_DATA"),
        ({"connection": CONNECTION, "window_minutes": "-1"}, "INVALID_DATA"),
        ({"connection": CONNECTION, "window": "1"}, "ATTRIBUTE_NOT_SUPPORTED"),
    ],
)
async def test_what_cannot_be_compared_is_refused(
    admin: Api, scope: dict[str, str], error: str
) -> None:
    answer = await admin.post(PATH, json=scope)
    assert answer.error == error


async def measured(admin: Api, name: str, **labels: str) -> float | None:
    """The value of a metric of the connection; None while there is none."""
    labelled = {"connection": CONNECTION, **labels}
    shown = ",".join(f'{label}="{value}"' for label, value in labelled.items())
    async with admin.http.get(f"{admin.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    head = f"{name}{{{shown}}} "
    found = [line.removeprefix(head) for line in lines if line.startswith(head)]
    return float(found[0]) if found else None


async def test_metrics_have_the_latest_findings_and_the_last_clean_one(
    reconciliations: Reconciliations,
) -> None:
    admin = reconciliations.admin
    clean = "reconciliation_last_clean_timestamp_seconds"

    async def compared(*lines: str, **scope: str) -> dict[str, Any]:
        job_id = await reconciliations.requested(**scope)
        await reconciliations.report(job_id, 1, items=list(lines), ended=True)
        if lines:
            await reconciliations.report(job_id, 2, items=list(lines))
        return await reconciliations.ended(job_id)

    async def become(kind: str, number: float) -> None:
        async def reason() -> str | None:
            found = await measured(admin, "reconciliation_findings", kind=kind)
            return None if found == number else f"{kind} is {found}"

        assert await answers_within(60, reason) is None

    await compared()
    await become("missing", 0)
    before = await measured(admin, clean)
    assert before is not None
    lines = ("missing V4A1 person__sys", "missing V4A2 person__sys", "extra V4A3 x__c")
    await compared(*lines)
    await become("missing", 2)
    await become("extra", 1)
    assert await measured(admin, clean) == before
    # Of a part nothing is said of the whole connection.
    await compared("failing V4A4 save_error__sys", integration_point=POINT)
    await compared()
    await become("missing", 0)
    await become("failing", 0)
    later = await measured(admin, clean)
    assert later is not None
    assert later > before


async def test_an_interval_repeats_it(reconciliations: Reconciliations) -> None:
    admin = reconciliations.admin

    async def interval(minutes: int | None) -> list[int]:
        row = {"api_name__sys": CONNECTION, "reconciliation_interval__sys": minutes}
        path = "/vobjects/connection__sys?idParam=api_name__sys"
        answer = await admin.put(path, json=[row])
        assert answer.data[0]["responseStatus"] == "SUCCESS", answer.body
        listed = (await admin.get(PATH)).data
        return [each["job_id"] for each in listed if each["status"] == "SCHEDULED"]

    try:
        assert len(await interval(60)) == 1
        # Asked for now, it takes the place of the scheduled one, which is scheduled again.
        job_id = await reconciliations.requested()
        await reconciliations.report(job_id, 1, ended=True)
        await reconciliations.ended(job_id)
        assert len(await interval(30)) == 1
    finally:
        assert await interval(None) == []


async def test_exceptions_explain_and_findings_are_transferred_again(
    reconciliations: Reconciliations,
) -> None:
    connector = reconciliations.connector
    message = {
        "message_id__sys": "reconciled-1",
        "integration_point__sysr.integration_point_api_name__sys": POINT,
        "error_type__sys": "message_processing_error__sys",
        "error_status__sys": "open__sys",
    }
    answer = await connector.post("/vobjects/exception_message__sys", json=[message])
    assert answer.data[0]["responseStatus"] == "SUCCESS", answer.body
    item = {
        "item_key__sys": "reconciled-1:V4A000000000001",
        "exception_message__sysr.message_id__sys": "reconciled-1",
        "item__sys": "V4A000000000001",
        "error_type__sys": "save_error__sys",
        "error_status__sys": "ignored__sys",
    }
    answer = await connector.post("/vobjects/exception_item__sys", json=[item])
    assert answer.data[0]["responseStatus"] == "SUCCESS", answer.body
    job_id = await reconciliations.requested()
    lines = [
        "failing V4A000000000001 save_error__sys",
        "missing V4A000000000002 person__sys",
        "different V4A000000000003 person__sys.name__v",
        "extra V4A000000000004 person__sys",
        "not_allowed V4A000000000005 person__sys",
    ]
    await reconciliations.report(job_id, 1, items=lines, ended=True)
    await reconciliations.report(job_id, 2, items=lines)
    counts = (await reconciliations.ended(job_id))["counts"]
    assert (counts["explained"], counts["failing"], counts["expected"]) == (1, 0, 3)
    path = f"{PATH}/{job_id}/actions/transfer_again"
    again = (await reconciliations.admin.post(path)).data
    assert again == {"transferred_again": 2}
    rows = await reconciliations.admin.query(
        "SELECT kind__sys, transferred_again__sys FROM reconciliation_finding__sys "
        f"WHERE reconciliation__sysr.job_id__sys = '{job_id}'"
    )
    marked = {row["kind__sys"][0] for row in rows.data if row["transferred_again__sys"]}
    assert marked == {"missing__sys", "different__sys"}


async def test_the_page_of_a_connection_compares_and_transfers_again(
    api: Api, reconciliations: Reconciliations
) -> None:
    async with browser(api.url, "admin") as visitor:
        connections = await visitor.click(await visitor.open("/ui/"), "Connections")
        connection = await visitor.click(connections, "Medical-CRM Connection")
        page = await visitor.press(connection, "Compare now")
        assert "The reconciliation was requested." in page.text
        job_id = int(page.path.rpartition("/")[2])
        await reconciliations.begun(job_id)
        lines = ["missing V4A000000000009 person__sys"]
        await reconciliations.report(job_id, 1, items=lines, ended=True)
        await reconciliations.report(job_id, 2, items=lines)
        await reconciliations.ended(job_id)
        page = await visitor.open(page.path)
        assert "V4A000000000009" in page.text
        page = await visitor.press(page, "Transfer chosen again")
        assert "Select findings" in page.text
        page = await visitor.press(page, "Transfer all again")
        assert "1 findings are transferred again." in page.text
        assert page.links["Download CSV"].endswith(f"/{job_id}/findings")
    file = await reconciliations.admin.get(f"{PATH}/{job_id}/findings")
    assert "missing__sys,account_inbound__v,account__v,V4A000000000009" in file.text
