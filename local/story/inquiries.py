"""Plays the chapters of inquiries: to a Case and back, a failure and its retry, a message delivered twice."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from http import HTTPStatus
from uuid import uuid4

import aiohttp

from local.narration import Narration
from local.story.cast import (
    INTEGRATION,
    Cast,
    Row,
    StoryFailed,
    activate,
    create,
    need,
    one,
    until,
)
from shared.spark.connection import BrokerConnection
from shared.spark.envelope import Envelope, Message
from shared.spark.publisher import Outgoing, Publisher
from shared.spark.topology import Direction

OUTBOUND, INBOUND = "crm_to_medical_outbound_queue__v", "medical_crm_inbound_queue__v"
RETURN_OUTBOUND, RETURN_INBOUND = (
    "medical_crm_outbound_queue__v",
    "medical_to_crm_inbound__v",
)
INQUIRY_ACTION = "Objectlifecyclestateuseraction.medical_inquiry__v"
REQUEST_ACTION = "Objectlifecyclestateuseraction.case_request__v"
RETRY = "Objectaction.exception_message__sys.retry_transfer__sys"


async def activated(cast: Cast, narration: Narration) -> None:
    """Activate the integration in both Vaults, as it is delivered inactive."""
    narration.chapter("An administrator activates the integration in both Vaults")
    await activate(narration, "CRM", cast.crm_admin, INTEGRATION)
    await activate(narration, "Medical", cast.medical_admin, INTEGRATION)


async def any_account(cast: Cast) -> Row:
    """Return an active account in the United States."""
    return await need(
        cast.rep,
        "SELECT id, name__v, global_id__sys, primary_country__v FROM account__v "
        "WHERE status__v = 'active__v' AND primary_country__vr.country_code__v = 'US' ORDER BY id MAXROWS 1",
        "an account",
    )


async def known_product(cast: Cast) -> Row:
    """Return a product of CRM that the Medical Vault has, too."""
    known = await cast.agent.query(
        "SELECT external_id__v FROM product__v WHERE external_id__v != null"
    )
    # The Vaults have no ids in common; the field rule finds products by their External ID.
    codes = ", ".join(f"'{row['external_id__v']}'" for row in known.rows)
    return await need(
        cast.rep,
        f"SELECT id, name__v FROM product__v WHERE external_id__v CONTAINS ({codes}) ORDER BY id MAXROWS 1",
        "a product that both Vaults know",
    )


async def new_inquiry(
    cast: Cast, narration: Narration, account: Row, product: Row, text: str
) -> Row:
    """Have the rep create an inquiry, submit it and transfer it; return its record from before the submission."""
    row = {
        "account__v": account["id"],
        "product__v": product["id"],
        "country__v": account["primary_country__v"],
        "inquiry_text__v": text,
        "delivery_method__v": "email__v",
        "email__v": "reader@practice.example",
    }
    inquiry_id = await create(cast.rep, "medical_inquiry__v", row)
    inquiry = await cast.rep.record("medical_inquiry__v", inquiry_id)
    title = f"inquiry {inquiry['name__v']} {inquiry_id}"
    subject = f"{product['name__v']}, account {account['id']}"
    narration.event("CRM", f"{title} about {subject}")
    submit = f"{INQUIRY_ACTION}.saved_state__v.submit__v"
    await cast.rep.run_action("medical_inquiry__v", inquiry_id, submit)
    narration.event("CRM", "Submit: Saved → Submitted")
    transfer = f"{INQUIRY_ACTION}.submitted_state__v.transfer_to_medical__v"
    await cast.rep.run_action("medical_inquiry__v", inquiry_id, transfer)
    narration.event("CRM", f"Transfer to Medical: message on {OUTBOUND}")
    narration.event("Broker", f"{OUTBOUND} → {INBOUND}")
    return inquiry


async def transfer_status(cast: Cast, inquiry_id: str, wanted: str) -> Row:
    """Wait until an inquiry has this Transfer Status, and return its record."""

    async def ask() -> Row | None:
        row = await cast.rep.record("medical_inquiry__v", inquiry_id)
        return row if row["transfer_status__v"] == [wanted] else None

    return await until(f"Transfer Status {wanted} of inquiry {inquiry_id}", ask)


async def case_of(cast: Cast, inquiry: Row) -> Row:
    """Return the Case Request of an inquiry."""
    return await need(
        cast.agent,
        "SELECT id, name__v, case__v, case__vr.name__v, case__vr.case_contact__v, state__v "
        f"FROM case_request__v WHERE link__sys = '{inquiry['global_id__sys']}'",
        "the Case Request",
    )


async def inquiry_becomes_case(cast: Cast, narration: Narration) -> Row:
    """Transfer an inquiry, check the Case, and return the inquiry's record."""
    narration.chapter("A rep's inquiry becomes a Case in the Medical Vault")
    started = time.monotonic()
    account = await any_account(cast)
    product = await known_product(cast)
    question = "Is a dose adjustment needed in renal impairment?"
    inquiry = await new_inquiry(cast, narration, account, product, question)
    await transfer_status(cast, inquiry["id"], "success__v")
    seconds = time.monotonic() - started
    request = await case_of(cast, inquiry)
    contact = request["case__vr.case_contact__v"]
    case = f"Case {request['case__vr.name__v']} {request['case__v']}"
    narration.event("Medical", f"Case Contact {contact}, {case}")
    title = f"Case Request {request['name__v']} {request['id']}"
    narration.event("Medical", f"{title} linked to {inquiry['global_id__sys']}")
    narration.event(
        "CRM",
        f"Transfer Status is Success, {seconds:.2f} s after the rep began",
    )
    # A transferred inquiry is locked: the Medical Vault works on the copy.
    edit = {"id": inquiry["id"], "email__v": "other@practice.example"}
    (refused,) = await cast.rep.update("medical_inquiry__v", [edit])
    if refused.ok:
        message = "a transferred inquiry could still be edited"
        raise StoryFailed(message)
    narration.event("CRM", f"an edit by the rep is refused: {refused.errors[0].type}")
    narration.transferred(
        "Medical Inquiry",
        f"CRM {inquiry['id']}",
        f"Case {request['case__v']}",
        "Success",
    )
    return inquiry


async def outcome_returns(cast: Cast, narration: Narration, inquiry: Row) -> None:
    """Have the agent answer the Case Request, and check that the inquiry gets status and response."""
    narration.chapter("An agent answers, and the outcome returns to CRM")
    request = await case_of(cast, inquiry)
    start_work = f"{REQUEST_ACTION}.new_state__v.start_work__v"
    await cast.agent.run_action("case_request__v", request["id"], start_work)
    narration.event(
        "Medical", f"Start Work on {request['name__v']}: message on {RETURN_OUTBOUND}"
    )
    await _inquiry_status(cast, inquiry["id"], "in_progress__v")
    narration.event("Broker", f"{RETURN_OUTBOUND} → {RETURN_INBOUND}")
    narration.event("CRM", f"inquiry {inquiry['name__v']} is In Progress")
    notes = "No adjustment is needed in mild or moderate impairment; see the package."
    answer = {"response_notes__v": notes}
    link = await packed(cast, narration, request["id"])
    close = f"{REQUEST_ACTION}.in_progress_state__v.close__v"
    await cast.agent.run_action("case_request__v", request["id"], close, answer)
    narration.event("Medical", f"Close on {request['name__v']} with response notes")
    row = await _inquiry_status(cast, inquiry["id"], "closed__v")
    if (row["response__v"], row["response_package_link__v"]) != (notes, link):
        message = "the response notes or the package's link did not reach the inquiry"
        raise StoryFailed(message)
    await opened(narration, link)
    title = f"inquiry {inquiry['name__v']}"
    narration.event(
        "CRM",
        f"{title} is Closed since {row['closed_date__v']} and has response and link",
    )
    narration.transferred(
        "Case Request outcome",
        f"Medical {request['id']}",
        f"inquiry {inquiry['id']}",
        "Closed",
    )


LETTER = "Thank you for your question. Enclosed you find what is known."
MAKE = "Objectaction.case_response__v.make_response_package__v"


async def packed(cast: Cast, narration: Narration, request: str) -> str:
    """Have the agent make a response package for a Case Request, and return its link."""
    row = {"case_request__v": request, "cover_letter__v": LETTER}
    response = await create(cast.agent, "case_response__v", row)
    await cast.agent.run_action("case_response__v", response, MAKE)
    made = await cast.agent.record("case_response__v", response)
    name, last_day = made["name__v"], made["expiration_date__v"]
    narration.event("Medical", f"{name}: a response package, open until {last_day}")
    return str(made["response_package_link__v"])


async def opened(narration: Narration, link: str) -> None:
    """Open a response package as its recipient does, without an account.

    :raises StoryFailed: the package is not shown.
    """
    async with aiohttp.ClientSession() as recipient, recipient.get(link) as answer:
        page = await answer.text()
    if answer.status != HTTPStatus.OK or LETTER not in page:
        raise StoryFailed("the package's recipient was not shown the cover letter")
    narration.event("Recipient", "opens the package by its link, without an account")


async def _inquiry_status(cast: Cast, inquiry_id: str, wanted: str) -> Row:
    async def ask() -> Row | None:
        row = await cast.rep.record("medical_inquiry__v", inquiry_id)
        return row if row["inquiry_status__v"] == [wanted] else None

    return await until(f"Inquiry Status {wanted} of inquiry {inquiry_id}", ask)


async def unknown_product(cast: Cast, narration: Narration) -> None:
    """Show a failure, its User Exception Item, and Retry Transfer."""
    narration.chapter("A product that the Medical Vault does not have")
    number = uuid4().hex[:8].upper()
    code = f"DEMO-{number}"
    product = {"name__v": f"Demovir {number}", "external_id__v": code}
    product_id = await create(cast.crm_admin, "product__v", product)
    created = {**product, "id": product_id}
    account = await any_account(cast)
    question = "Is there experience in pregnancy?"
    inquiry = await new_inquiry(cast, narration, account, created, question)
    await transfer_status(cast, inquiry["id"], "failed__v")
    item = await _exception_item(cast, inquiry["id"])
    message_id = item["exception_message__sys"]
    exception = f"User Exception Message {message_id}"
    narration.event("CRM", "Transfer Status is Failed")
    narration.event("Medical", f"{exception}, item: {item['error_message__sys']}")
    await create(cast.medical_admin, "product__v", product)
    narration.event("Medical", f"the administrator adds product {code}")
    await cast.medical_admin.run_action("exception_message__sys", message_id, RETRY)
    narration.event("Medical", f"Retry Transfer: message on {INBOUND}")
    await transfer_status(cast, inquiry["id"], "success__v")
    request = await case_of(cast, inquiry)
    narration.event("Medical", f"Case Request {request['name__v']} {request['id']}")

    async def resolved() -> Row | None:
        row = await cast.medical_admin.record("exception_message__sys", message_id)
        return row if row["error_status__sys"] == ["resolved__sys"] else None

    await until("resolving the exception", resolved)
    narration.event("Medical", f"{exception} is resolved and kept")
    narration.transferred(
        "Medical Inquiry",
        f"CRM {inquiry['id']}",
        f"Case {request['case__v']}",
        "Failed, then Success",
    )


async def _exception_item(cast: Cast, inquiry_id: str) -> Row:
    async def ask() -> Row | None:
        return await one(
            cast.medical_admin,
            "SELECT id, exception_message__sys, error_message__sys FROM exception_item__sys "
            f"WHERE item__sys = '{inquiry_id}' AND error_status__sys = 'open__sys'",
        )

    return await until("the User Exception Item", ask)


async def delivered_twice(
    cast: Cast, narration: Narration, inquiry: Row, amqp_url: str
) -> None:
    """Publish one message twice, and check that the inquiry still has one Case Request."""
    narration.chapter("The same message delivered twice makes one Case")
    now = datetime.now(UTC)
    point = "medical_inquiry_details_inbound__v"
    attributes = {
        "object": "medical_inquiry__v",
        "event": "transfer",
        "integration_point": point,
    }
    message = Message(attributes=attributes, items=(inquiry["id"],))
    envelope = Envelope(
        "Vault CRM", "localhost", INBOUND, now, now, 1, str(uuid4()), message
    )
    headers = {"vault_id": cast.crm_admin.vault_id}
    outgoing = Outgoing(INBOUND, envelope.encode(), envelope.message_id, headers)
    # Past outbox and delivery, straight to the inbound queue, as a broker that redelivers would do.
    vhost_url = f"{amqp_url.rstrip('/')}/medical"
    async with BrokerConnection(vhost_url, "demo") as broker:
        publisher = Publisher(broker, Direction.INBOUND.exchange)
        await publisher.publish_all([outgoing, outgoing])
        await publisher.close()
    narration.event(
        "Broker", f"message {envelope.message_id} published twice on {INBOUND}"
    )

    async def drained() -> Row | None:
        queue = await cast.medical_admin.queue(INBOUND)
        return queue if queue["messages_in_queue"] == 0 else None

    await until("draining the queue", drained)
    link = inquiry["global_id__sys"]
    found = await cast.agent.query(
        f"SELECT id FROM case_request__v WHERE link__sys = '{link}'"
    )
    if len(found.rows) != 1:
        raise StoryFailed(f"the inquiry has {len(found.rows)} Case Requests")
    narration.event("Medical", "the inquiry still has one Case Request")
    narration.transferred(
        "Message, delivered twice",
        f"CRM {inquiry['id']}",
        str(found.rows[0]["id"]),
        "One Case Request",
    )
