"""The set-up path of the guide and the story of the README in browsers, by pages only."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import pairwise
from uuid import uuid4

import pytest

from local.system import System
from tests.service.vault.browsing import Browser, Page, browser
from tests.system.conditions import eventually

INTEGRATION = "Medical Inquiry Details Integration"


@dataclass(frozen=True)
class People:
    """Who sits before a browser."""

    crm: Browser
    medical: Browser
    rep: Browser
    agent: Browser


@pytest.fixture
async def people(running: System) -> AsyncIterator[People]:
    endpoints, sign_ins = running.endpoints(), running.sign_ins()
    async with AsyncExitStack() as stack:

        async def person(vault: str, role: str) -> Browser:
            made = await stack.enter_async_context(browser(endpoints[vault]["url"]))
            account = sign_ins[vault][role]
            page = await made.sign_in(account["username"], account["password"])
            assert "Sign out" in page.text
            return made

        yield People(
            crm=await person("crm_vault", "admin"),
            medical=await person("medical_vault", "admin"),
            rep=await person("crm_vault", "business"),
            agent=await person("medical_vault", "business"),
        )


async def walk(visitor: Browser, *labels: str, start: str = "/ui/") -> Page:
    """Follow links by their labels."""
    page = await visitor.open(start)
    for label in labels:
        page = await visitor.click(page, label)
    return page


async def until_shown(visitor: Browser, path: str, *texts: str) -> Page:
    """Reload a page until it contains this text."""
    pages: list[Page] = []

    async def shown() -> bool:
        pages[:] = [await visitor.open(path)]
        return all(text in pages[0].text for text in texts)

    await eventually(f"{path} with {texts}", shown)
    return pages[0]


async def activate(people: People) -> None:
    """Activate the connection in both Vaults, as the guide says."""
    page = await walk(
        people.medical, "Connections", "Medical-CRM Connection", INTEGRATION
    )
    page = await people.medical.press(page, "Save", status__v="Active")
    assert f"{INTEGRATION} Active" in page.text
    page = await walk(
        people.crm, "Connections", "Medical-CRM Connection", INTEGRATION, "Edit"
    )
    assert "System Information" in page.text
    page = await people.crm.press(page, "Save", status__v="Active")
    assert f"{INTEGRATION} Active" in page.text


async def new_inquiry(
    people: People, product: str, text: str, delivery: str = "Email"
) -> Page:
    """A rep writes an inquiry, submits it and transfers it."""
    page = await walk(people.rep, "Records", "Medical Inquiries", "Create")
    fields = {
        "inquiry_text__v": text,
        "delivery_method__v": delivery,
        "email__v": "reader@practice.example",
        "fax_number__v": "+1 555 0188",
    }
    choices = {
        "product__v": product,
        "country__v": "United States",
        "account__v": "Maribel Quentaro",
    }
    page = await people.rep.press(page, "Submit and transfer", **fields, **choices)
    assert "The transfer to Medical has begun." in page.text, page.text
    return page


def global_id(page: Page) -> str:
    """The Global ID that a record's page shows."""
    words = page.text.split()
    return next(
        word for before, word in pairwise(words) if before == "ID" and "_" in word
    )


async def test_a_connection_is_established_by_the_pages_of_both_vaults(
    people: People,
) -> None:
    name = f"pages_{uuid4().hex[:8]}__c"
    for visitor, remote in ((people.crm, "10101"), (people.medical, "20202")):
        page = await walk(visitor, "Connections", "Create")
        page = await visitor.press(
            page, "Save", name__v=name, api_name__sys=name, remote_vault_id__sys=remote
        )
        assert f"{name} Pending" in page.text
    file = await people.crm.download(
        await walk(people.crm, "Connections", name), "Download Connection File"
    )
    page = await people.medical.send_file(
        await walk(people.medical, "Connections", name), "Upload Connection File", file
    )
    acceptance = base64.b64decode(
        page.links["Download Acceptance"].partition("base64,")[2]
    )
    page = await people.crm.send_file(
        await walk(people.crm, "Connections", name),
        "Upload Connection File",
        acceptance,
    )
    for visitor, other in (
        (people.crm, "Medical Vault"),
        (people.medical, "Vault CRM"),
    ):
        page = await walk(visitor, "Connections", name)
        assert (
            f"{name} Active" in page.text and f"Remote Vault Name {other}" in page.text
        )
        assert f"{name} Inactive" in (await visitor.press(page, "Inactivate")).text


async def test_an_inquiry_goes_to_medical_and_its_answer_comes_back(
    people: People,
) -> None:
    await activate(people)
    word = uuid4().hex[:10]
    inquiry = await new_inquiry(
        people, await a_known_product(people), f"Is a dose adjustment needed? {word}"
    )
    inquiry = await until_shown(people.rep, inquiry.path, "Transfer Status Success")
    page = await walk(people.agent, "Records", "Case Requests")
    page = await people.agent.press(page, "Search", q=word)
    page = await people.agent.click(
        page, next(label for label in page.links if label.startswith("CR-"))
    )
    assert word in page.text and global_id(inquiry) in page.text
    page = await people.agent.press(page, "Start Work")
    assert "In Progress" in page.text
    await until_shown(people.rep, inquiry.path, "Inquiry Status In Progress")
    answer = {"response_notes__v": f"No adjustment is needed. {word}"}
    page = await people.agent.press(page, "Close", **answer)
    assert "The action Close was run." in page.text, page.text
    await until_shown(
        people.rep, inquiry.path, "Inquiry Status Closed", answer["response_notes__v"]
    )


async def test_what_fails_is_corrected_and_retried(people: People) -> None:
    await activate(people)
    code = f"PAGES-{uuid4().hex[:8].upper()}"
    product = {"name__v": f"Pagesin {code}", "external_id__v": code}
    page = await people.crm.press(
        await walk(people.crm, "Records", "Products", "Create"), "Save", **product
    )
    assert "The Product was created." in page.text
    inquiry = await new_inquiry(
        people, product["name__v"], "Is there experience in pregnancy?"
    )
    inquiry = await until_shown(people.rep, inquiry.path, "Transfer Status Failed")
    item = inquiry.path.rpartition("/")[2]
    page = await walk(people.medical, "User Exception Messages")
    message = await the_one_with(people.medical, page, item)
    assert "request_product__v" in message.text and "Open" in message.text
    page = await people.medical.press(
        await walk(people.medical, "Records", "Products", "Create"), "Save", **product
    )
    assert "The Product was created." in page.text
    page = await people.medical.press(message, "Retry Transfer")
    assert "The action Retry Transfer was run." in page.text
    await until_shown(people.medical, message.path, "Resolved")
    await until_shown(people.rep, inquiry.path, "Transfer Status Success")


async def test_a_lookup_file_and_a_rule_decide_what_a_transfer_writes(
    people: People,
) -> None:
    await activate(people)
    product = await a_known_product(people)
    try:
        await upload_fax_priority(people, "high__v")
        assert "Priority High" in (await transferred_case(people, product)).text
        await set_rule_of_priority(people, "Inactive")
        page = await transferred_case(people, product)
        assert "Priority" in page.text.partition("empty field")[2]
    finally:  # as it was delivered
        await upload_fax_priority(people, "normal__v")
        await set_rule_of_priority(people, "Active")
    assert "Priority Normal" in (await transferred_case(people, product)).text


async def upload_fax_priority(people: People, target: str) -> None:
    """Upload a file with one existing lookup row: the value for the delivery method Fax."""
    connection = await walk(people.medical, "Connections", "Medical-CRM Connection")
    page = await people.medical.click(
        await people.medical.click(connection, "Reference Lookups"), "Upload CSV"
    )
    head = "lookup_key__sys,reference_lookup_name__sys,reference_lookup_type__sys,source_key__sys,target_key__sys"
    name = "delivery_method_to_priority__v"
    content = (
        f"{head}\nmedical_crm__v:{name}:fax__v,{name},picklist__sys,fax__v,{target}\n"
    )
    page = await people.medical.send_file(
        page, "Upload", content.encode(), "lookups.csv"
    )
    assert "1 of 1 rows were saved." in page.text and "1 fax__v" in page.text, page.text


async def set_rule_of_priority(people: People, status: str) -> None:
    """Activate or inactivate the field rule that fills the priority of a Case."""
    rule = await walk(
        people.medical,
        "Integration Rules",
        "Medical Inquiries Integration Rule",
        "case_priority__v",
    )
    page = await people.medical.press(rule, "Save", active=status)
    assert (
        "The Field Rule was saved." in page.text or "Nothing was changed." in page.text
    )


async def transferred_case(people: People, product: str) -> Page:
    """The Case of a new inquiry that is to be answered by fax."""
    word = uuid4().hex[:10]
    inquiry = await new_inquiry(
        people, product, f"How is it stored? {word}", delivery="Fax"
    )
    await until_shown(people.rep, inquiry.path, "Transfer Status Success")
    page = await people.agent.press(
        await walk(people.agent, "Records", "Case Requests"), "Search", q=word
    )
    request = await people.agent.click(
        page, next(label for label in page.links if label.startswith("CR-"))
    )
    return await people.agent.click(
        request, next(label for label in request.links if label.startswith("CASE-"))
    )


async def a_known_product(people: People) -> str:
    """A product that both Vaults have."""
    pages = [
        await walk(visitor, "Records", "Products")
        for visitor in (people.rep, people.agent)
    ]
    ours, theirs = (
        {label for label, path in page.links.items() if "/product__v/" in path}
        for page in pages
    )
    return min((ours & theirs) - {"Create"})


async def the_one_with(visitor: Browser, page: Page, item: str) -> Page:
    """The message that has an item about this record."""
    for label in [label for label in page.links if label.startswith("UEM-")]:
        message = await visitor.click(page, label)
        if item in message.text:
            return message
    raise AssertionError(item)
