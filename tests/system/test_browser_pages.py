"""Every page in a real browser: usable by everybody, narrow and wide, light and dark."""

from __future__ import annotations

from uuid import uuid4

import pytest
from playwright.async_api import Browser

from local.system import System
from shared.client.results import rows_of
from shared.client.transport import Request
from tests.system.browser_forms import DOCUMENTS, approved_document
from tests.system.conditions import Connected, new_run
from tests.system.test_runs import over
from tests.system.test_transfer import account, inquiry, transferred
from tests.system.visited_pages import (
    LINKED,
    MADE,
    PARTS,
    first_of,
)
from tests.system.visitors import (
    Visitor,
    stranger,
    visitor,
)

DETAILS = "medical_inquiry_details__v"
GROUPS = "/api/v25.1/objects/groups"
VERSION = "/documents/{document_id}/versions/{major}/{minor}"
RUNS = "/integrations/{record_id}/runs"
ADDRESSES_OF = "links => links.map(each => each.getAttribute('href'))"


async def test_the_colours_are_switched_and_stay(
    running: System, browser: Browser
) -> None:
    async with visitor(browser, running, "crm_vault") as rep:

        async def ground() -> str:
            # Also the style sheets.
            await rep.page.wait_for_load_state("load")
            script = "getComputedStyle(document.body).backgroundColor"
            return str(await rep.page.evaluate(script))

        light = await ground()
        await rep.press("Dark")
        dark = await ground()
        assert dark != light
        await rep.open("/ui/objects")
        assert await ground() == dark
        await rep.press("Light")
        assert await ground() == light


async def made_pages(connected: Connected) -> dict[str, str]:
    """Pages about what is made here, by their routes."""
    vault, name = connected.medical, uuid4().hex[:10]
    document = await approved_document(connected, f"Shown {name}")
    group = await vault.call(
        Request("group", "POST", GROUPS, form={"label__v": f"Shown {name}"})
    )
    # One that nothing more is done with.
    row = {
        "message_id__sys": name,
        "error_type__sys": "message_processing_error__sys",
        "error_status__sys": "ignored__sys",
    }
    (exception,) = await vault.create("exception_message__sys", [row])
    (package,) = await vault.create("outbound_package__v", [{"summary__v": name}])
    where = f"WHERE integration_api_name__sys = '{DETAILS}'"
    found = await vault.query(f"SELECT id FROM integration__sys {where}")
    integration = f"/ui/integrations/{found.rows[0]['id']}"
    run = await vault.request_run(DETAILS)
    # A page that is drawn anew meanwhile is none to look at.
    # What other tests have left at Failed is tried again by it, and may fail again.
    await over(vault, run)
    return {
        "/documents/{document_id}": f"/ui/documents/{document}",
        VERSION: f"/ui/documents/{document}/versions/1/0",
        "/exceptions/{record_id}": f"/ui/exceptions/{exception.id}",
        "/groups/{group_id}/edit": f"/ui/groups/{group['id']}/edit",
        "/packages/outbound/{package_id}": f"/ui/packages/outbound/{package.id}",
        RUNS: f"{integration}/runs",
        f"{RUNS}/{{job_id}}": f"{integration}/runs/{run}",
    }


async def look_at_linked_pages(admin: Visitor) -> None:
    """Look at the pages that are found by links."""
    found: dict[str, str] = {}
    for each in LINKED:
        await admin.open(found.get(each.on, each.on))
        links = await admin.page.locator("main a").evaluate_all(ADDRESSES_OF)
        path = first_of(each.route, links)
        assert path, (each, links)
        found[each.route] = path
        await admin.finds_usable(path)


@pytest.mark.parametrize(("vault", "paths"), PARTS)
async def test_every_page_can_be_used_by_everybody(
    running: System,
    browser: Browser,
    vault: str,
    paths: tuple[str, ...],
) -> None:
    async with visitor(browser, running, vault, "admin") as admin:
        for path in paths:
            await admin.finds_usable(path)


async def test_every_page_behind_a_link_can_be_used_by_everybody(
    running: System, browser: Browser, connected: Connected
) -> None:
    asked = await inquiry(connected, await account(connected, new_run()))
    await transferred(connected, asked)
    async with visitor(browser, running, "medical_vault", "admin") as admin:
        await look_at_linked_pages(admin)


async def test_every_page_about_what_was_made_can_be_used_by_everybody(
    running: System, browser: Browser, connected: Connected
) -> None:
    made = await made_pages(connected)
    assert set(made) == set(MADE)
    async with visitor(browser, running, "medical_vault", "admin") as admin:
        for path in made.values():
            await admin.finds_usable(path)


async def test_pages_for_people_without_an_account_can_be_used_by_everybody(
    running: System, browser: Browser, connected: Connected
) -> None:
    document = await approved_document(connected, f"Shared {uuid4().hex[:8]}")
    answer = await connected.medical.call(
        Request("token", "POST", f"{DOCUMENTS}/tokens", form={"docIds": document})
    )
    (token,) = rows_of(answer["tokens"], "tokens")
    viewer = f"/ui/approved_viewer?token={token['token__v']}"
    async with stranger(browser, running, "medical_vault") as person:
        for path in ("/ui/sign-in", "/ui/password", viewer):
            await person.finds_usable(path)
