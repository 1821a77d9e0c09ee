"""Admin > Connections in the browser: establish, activate, duplicate; integrations with their times; Spark Queues."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from local.polling import answers_within
from shared.vault.assembly.vault import Vault
from tests.service.vault.browsing import Browser, Page, browser
from tests.service.vault.objects import key
from tests.service.vault.remote_end import acceptance, connection_file
from tests.service.vault.served import Api


@pytest.fixture
async def visitor(api: Api) -> AsyncIterator[Browser]:
    async with browser(api.url, "admin") as made:
        yield made


def api_name() -> str:
    return f"{key().lower().replace('-', '_')}__c"


async def new_connection(visitor: Browser, name: str, **fields: str) -> Page:
    page = await visitor.click(
        await visitor.click(await visitor.open("/ui/"), "Connections"), "Create"
    )
    page = await visitor.press(
        page, "Save", name__v=f"Connection {name}", api_name__sys=name, **fields
    )
    assert "The Connection was created." in page.text, page.text
    return page


async def integration_of(visitor: Browser, connection: Page, name: str) -> Page:
    """An integration of the connection, made by its form."""
    page = await visitor.click(connection, "Create an integration")
    page = await visitor.press(
        page, "Save", name__v=f"Integration {name}", integration_api_name__sys=name
    )
    assert "The Integration was created." in page.text, page.text
    return page


async def record(
    admin: Api, object_name: str, field: str, value: str
) -> dict[str, Any]:
    (row,) = (
        await admin.query(f"SELECT id FROM {object_name} WHERE {field} = '{value}'")
    ).data
    found: dict[str, Any] = (
        await admin.get(f"/vobjects/{object_name}/{row['id']}")
    ).data
    return found


async def test_a_file_goes_out_and_its_acceptance_comes_back(visitor: Browser) -> None:
    name = api_name()
    page = await new_connection(visitor, name, remote_vault_id__sys="20202")
    assert f"Connection {name} Pending" in page.text
    file = json.loads(await visitor.download(page, "Download Connection File"))[
        "document"
    ]
    assert (file["connection"], file["remote_vault_id"]) == (name, 20202)
    page = await visitor.send_file(page, "Upload Connection File", acceptance(file))
    assert (
        "The connection is established." in page.text
        and f"Connection {name} Active" in page.text
    )
    assert "Remote Vault Name Remote Vault" in page.text
    page = await visitor.press(page, "Inactivate")
    assert f"Connection {name} Inactive" in page.text
    assert f"Connection {name} Active" in (await visitor.press(page, "Reactivate")).text


async def test_a_file_of_another_vault_is_answered_by_an_acceptance_to_take_there(
    visitor: Browser, vault: Vault
) -> None:
    name = api_name()
    page = await new_connection(visitor, name)
    file = connection_file(name, 20202, vault.vault_id)
    shown = await visitor.send_file(page, "Upload Connection File", file)
    address = shown.links["Download Acceptance"]
    document = json.loads(
        base64.b64decode(address.removeprefix("data:application/json;base64,"))
    )["document"]
    assert (document["kind"], document["remote_connection"]) == ("acceptance", name)
    assert (
        f"Connection {name} Active"
        in (await visitor.click(shown, "Back to the connection")).text
    )
    again = await visitor.send_file(page, "Upload Connection File", file)
    assert (
        again.status == 400
        and "OPERATION_NOT_ALLOWED" in again.text
        and "is not Pending" in again.text
    )


async def test_without_a_remote_vault_id_the_upload_is_approved(
    visitor: Browser,
) -> None:
    name = api_name()
    page = await new_connection(visitor, name)
    file = json.loads(await visitor.download(page, "Download Connection File"))[
        "document"
    ]
    page = await visitor.send_file(page, "Upload Connection File", acceptance(file))
    assert f"Connection {name} Pending Approval" in page.text
    assert f"Connection {name} Active" in (await visitor.press(page, "Approve")).text


@pytest.mark.parametrize("content", [b"", b"{}", b"\x00", b"x" * 70_000])
async def test_what_is_no_connection_file_is_an_error_on_the_page(
    visitor: Browser, content: bytes
) -> None:
    page = await new_connection(visitor, api_name())
    page = await visitor.send_file(page, "Upload Connection File", content)
    assert page.status == 400 and page.form("Upload Connection File")


async def test_an_invalid_name_of_a_connection_is_an_error_in_the_form(
    visitor: Browser, admin: Api
) -> None:
    page = await visitor.open("/ui/objects/connection__sys/new")
    page = await visitor.press(
        page, "Save", name__v="Mine", api_name__sys="Not A Name", object_type__v="Local"
    )
    assert page.status == 400 and "[API Name] takes lower-case letters" in page.text
    name = api_name()
    page = await visitor.press(
        page, "Save", api_name__sys=name
    )  # the rest is as it was filled in
    assert (await record(admin, "connection__sys", "api_name__sys", name))[
        "name__v"
    ] == "Mine"
    assert "Mine Active" in (await visitor.press(page, "Activate")).text


async def test_a_connection_is_duplicated(visitor: Browser, admin: Api) -> None:
    name = api_name()
    await integration_of(visitor, await new_connection(visitor, name), name)
    original = await record(admin, "connection__sys", "api_name__sys", name)
    page = await visitor.click(
        await visitor.open(f"/ui/connections/{original['id']}"), "Duplicate"
    )
    page = await visitor.press(page, "Duplicate", name="Copy", api_name="no_ending")
    assert (
        page.status == 400
        and "The API name of a copy ends in __c. INVALID_DATA" in page.text
    )
    page = await visitor.press(
        page, "Duplicate", api_name=f"copy_{name}", remote_vault_id="20203"
    )
    assert (
        "Copy Pending" in page.text
        and f"Integration {name}" in page.links
        and "20203" in page.text
    )


async def test_an_integration_is_activated_as_the_guide_says(
    visitor: Browser, admin: Api
) -> None:
    name = api_name()
    connection = await new_connection(visitor, name)
    await integration_of(visitor, connection, name)
    await visitor.press(
        await visitor.click(await visitor.open(connection.path), f"Integration {name}"),
        "Save",
        status__v="Inactive",
    )
    # In the Medical Vault: open the integration, Status = Active, Save.
    page = await visitor.open(connection.path)
    assert "Integrations" in page.text
    page = await visitor.click(page, f"Integration {name}")
    assert f"Integration {name} Inactive" in page.text
    page = await visitor.press(page, "Save", status__v="Active")
    assert (
        f"Integration {name} Active" in page.text
        and "The integration was saved." in page.text
    )
    stored = await record(admin, "integration__sys", "integration_api_name__sys", name)
    activated = stored["last_successful_run_time__sys"]
    assert activated and activated[:19].replace("T", " ") in page.text
    # In Vault CRM: Edit, System Information, Status.
    page = await visitor.press(
        await visitor.click(page, "Edit"), "Save", status__v="Inactive"
    )
    page = await visitor.press(
        await visitor.click(page, "Edit"), "Save", status__v="Active"
    )
    assert f"Integration {name} Active" in page.text
    assert (await record(admin, "integration__sys", "integration_api_name__sys", name))[
        "last_successful_run_time__sys"
    ] > activated


async def test_the_time_set_back_makes_a_run(visitor: Browser, admin: Api) -> None:
    page = await visitor.open("/ui/connections")
    page = await visitor.click(
        await visitor.click(page, "Medical-CRM Connection"), "CLM Integration"
    )
    page = await visitor.press(page, "Save", status__v="Active")
    page = await visitor.press(
        page, "Save", last_successful_run_time__sys="2020-01-02T03:04"
    )
    assert "The integration was saved." in page.text
    stored = await record(
        admin, "integration__sys", "integration_api_name__sys", "clm__v"
    )
    assert stored["last_successful_run_time__sys"] == "2020-01-02T03:04:00.000Z"
    runs = (await admin.get("/services/integrations/clm__v/runs")).data
    page = await visitor.click(page, str(runs[0]["job_id"]))
    assert (
        f"Run {runs[0]['job_id']}" in page.text
        and "Batches reported 0 of 0" in page.text
    )
    run = f"/services/integrations/clm__v/runs/{runs[0]['job_id']}"

    async def begun() -> str | None:
        status = (await admin.get(run)).data["status"]
        return None if status == "RUNNING" else f"the run is {status}"

    assert await answers_within(60, begun) is None
    await admin.put(run, json={"source_time": "2020-01-02T03:05:00.000Z"})
    page = await visitor.open(page.path)
    assert "cannot tell until when its changes are complete" in page.text
    mend = "See and correct the failures"
    assert mend not in page.links
    counts = {"read": 1, "mapped": 0, "skipped": 0, "written": 0, "failed": 1}
    await admin.put(run, json={"stage": 0, "batches": 1, "position": "1"})
    batch = {"integration_point": "clm_outbound__v", **counts}
    reported = await admin.put(f"{run}/batches/1", json=batch)
    assert reported.status == "SUCCESS", reported.body
    page = await visitor.open(page.path)
    assert page.links[mend] == "/ui/exceptions?status=open__sys&integration=clm__v"
    # Integration points by their names, not those of the API.
    assert "CLM Outbound Integration Point 1 0 0 0 1" in page.text, page.text
    assert str(runs[0]["job_id"]) in (await visitor.click(page, "Runs")).links
    page = await visitor.press(
        await visitor.open(page.path.partition("/runs")[0]), "Run now"
    )
    assert "The run was requested." in page.text
    page = await visitor.press(
        await visitor.open(page.path.partition("/runs")[0]),
        "Save",
        status__v="Inactive",
    )
    assert "CLM Integration Inactive" in page.text
    await _assert_no_run_offered(visitor, page.path)


async def _assert_no_run_offered(visitor: Browser, path: str) -> None:
    """Check that the pages of an inactive integration do not offer a run, which would be refused."""
    for each in (path, f"{path}/runs"):
        forms = (await visitor.open(each)).forms
        assert not any("Run now" in form.labels for form in forms)


async def test_an_invalid_time_is_an_error_in_the_form(
    visitor: Browser, admin: Api
) -> None:
    stored = await record(
        admin, "integration__sys", "integration_api_name__sys", "country__v"
    )
    page = await visitor.open(f"/ui/integrations/{stored['id']}")
    page = await visitor.press(
        page, "Save", last_successful_run_time__sys="yesterday", run_interval__sys="0"
    )
    assert page.status == 400 and "[Last Successful Run Time] takes a date" in page.text
    assert page.form("Save").fields["last_successful_run_time__sys"] == "yesterday"


async def test_queues_show_their_delivery_and_are_reset_when_confirmed(
    visitor: Browser,
) -> None:
    page = await visitor.click(await visitor.open("/ui/"), "Spark Queues")
    page = await visitor.click(page, "Medical to CRM")
    assert (
        "medical_crm_outbound_queue__v" in page.text and "Delivery Enabled" in page.text
    )
    assert "Medical-CRM Connection No error" in page.text
    assert "Latest messages Entered Outcome Message" in page.text
    page = await visitor.press(page, "Disable Delivery")
    assert "Delivery is disabled." in page.text and "Delivery Disabled" in page.text
    page = await visitor.press(page, "Enable Delivery")
    assert "Delivery is enabled." in page.text and "Delivery Enabled" in page.text
    page = await visitor.press(page, "Trace Queue Delivery")
    assert "written to the queue log until" in page.text
    page = await visitor.click(page, "Reset")
    assert "cannot be undone" in page.text
    assert "Medical to CRM" in (await visitor.click(page, "Cancel")).text
    (button,) = (
        label
        for form in page.forms
        for label in form.labels
        if re.fullmatch(r"Delete all \d+ messages?", label)
    )
    assert "Deleted messages in queue." in (await visitor.press(page, button)).text


async def test_a_note_is_shown_once(visitor: Browser) -> None:
    page = await visitor.press(
        await visitor.open("/ui/queues/out__c"), "Disable Delivery"
    )
    assert "Delivery is disabled." in page.text
    page = await visitor.open("/ui/queues/out__c")
    assert "Delivery is disabled." not in page.text
    await visitor.press(page, "Enable Delivery")


async def test_what_is_drawn_anew_of_a_page_in_another_tab_takes_no_note(
    visitor: Browser,
) -> None:
    page = await visitor.open("/ui/queues/out__c")
    form, values = visitor.filled(page, "Disable Delivery", {})
    await visitor.request("POST", form.action, data=values, allow_redirects=False)
    await visitor.open("/ui/queues", headers={"HX-Request": "true"})
    page = await visitor.open("/ui/queues/out__c")
    assert "Delivery is disabled." in page.text
    await visitor.press(page, "Enable Delivery")
