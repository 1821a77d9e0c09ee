"""The status of a Case Request is returned to its inquiry: closed, opened again, cancelled."""

from __future__ import annotations

from collections.abc import Mapping

from shared.client.results import Row
from tests.system.conditions import Connected, eventually, new_run
from tests.system.reconciling import assert_clean
from tests.system.test_transfer import account, inquiry, one, transferred

ACTION = "Objectlifecyclestateuseraction.case_request__v"
ANSWER = {
    "response_notes__v": "No data below 12 years.",
    "response_package_link__v": "https://packages.example/1",
}


async def requested(connected: Connected) -> tuple[str, str]:
    """An inquiry that was transferred, and its Case Request."""
    item = await inquiry(connected, await account(connected, new_run()))
    request = await transferred(connected, item)
    return item, str(request["id"])


async def agent_does(
    connected: Connected,
    request: str,
    action: str,
    fields: Mapping[str, str] | None = None,
) -> None:
    await connected.agent.run_action(
        "case_request__v", request, f"{ACTION}.{action}", fields
    )


async def followed(connected: Connected, item: str, status: str) -> Row:
    """The inquiry once it has this Inquiry Status."""
    text = (
        "SELECT inquiry_status__v, closed_date__v, LONGTEXT(response__v), response_package_link__v, transfer_status__v "
        f"FROM medical_inquiry__v WHERE id = '{item}'"
    )

    async def there() -> bool:
        return (await one(connected.crm, text))["inquiry_status__v"] == [status]

    await eventually(f"Inquiry Status {status}", there)
    return await one(connected.crm, text)


async def test_a_closed_request_is_opened_again_and_closed_again(
    connected: Connected,
) -> None:
    item, request = await requested(connected)
    await agent_does(connected, request, "new_state__v.start_work__v")
    await agent_does(connected, request, "in_progress_state__v.close__v", ANSWER)
    closed = await followed(connected, item, "closed__v")
    assert closed["response__v"] == ANSWER["response_notes__v"]
    await agent_does(connected, request, "closed_state__v.reopen__v")
    reopened = await followed(connected, item, "in_progress__v")
    assert reopened == {
        **closed,
        "inquiry_status__v": ["in_progress__v"],
        "closed_date__v": None,
    }
    assert (await connected.medical.record("case_request__v", request))[
        "closed_date__v"
    ] is None
    other = {**ANSWER, "response_notes__v": "See the new label."}
    await agent_does(connected, request, "in_progress_state__v.close__v", other)
    again = await followed(connected, item, "closed__v")
    assert again["response__v"] == "See the new label."
    assert str(again["closed_date__v"]) > str(closed["closed_date__v"])
    await assert_clean(connected.crm, {item, request})


async def test_a_request_is_cancelled_and_taken_up_after_all(
    connected: Connected,
) -> None:
    item, request = await requested(connected)
    await agent_does(connected, request, "new_state__v.cancel__v")
    cancelled = await followed(connected, item, "cancelled__v")
    assert (cancelled["closed_date__v"], cancelled["transfer_status__v"]) == (
        None,
        ["success__v"],
    )
    await agent_does(connected, request, "cancelled_state__v.reopen__v")
    await followed(connected, item, "in_progress__v")
    await agent_does(connected, request, "in_progress_state__v.cancel__v")
    await followed(connected, item, "cancelled__v")
    await assert_clean(connected.crm, {item, request})
