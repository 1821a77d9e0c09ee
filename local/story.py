"""The story of the connection, played through the public APIs: ``make demo``, ``make test-compose``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from local.narration import Narration
from shared.client import VaultClient
from shared.spark.connection import BrokerConnection
from shared.spark.envelope import Envelope, Message
from shared.spark.publisher import Outgoing, Publisher
from shared.spark.topology import Direction

WAIT_SECONDS = 30.0
POLL_SECONDS = 0.05
INTEGRATION = "medical_inquiry_details__v"
OUTBOUND, INBOUND = "crm_to_medical_outbound_queue__v", "medical_crm_inbound_queue__v"
RETURN_OUTBOUND, RETURN_INBOUND = "medical_crm_outbound_queue__v", "medical_to_crm_inbound__v"
INQUIRY_ACTION = "Objectlifecyclestateuseraction.medical_inquiry__v"
REQUEST_ACTION = "Objectlifecyclestateuseraction.case_request__v"
RETRY = "Objectaction.exception_message__sys.retry_transfer__sys"
Row = dict[str, Any]


class StoryFailed(Exception):
    """Something did not happen as the story tells it; the text says what."""


@dataclass(frozen=True)
class Cast:
    """Who acts in the story, each signed in with a client of their own."""

    crm_admin: VaultClient
    rep: VaultClient
    medical_admin: VaultClient
    agent: VaultClient


async def play(endpoints: Mapping[str, Any], narration: Narration, sign_ins: Mapping[str, Any] | None = None) -> None:
    """Play the whole story against a running system; raises StoryFailed or a client's error.

    ``endpoints`` as in ``.run/endpoints.json``; without ``sign_ins`` the administrators act for rep and agent.
    """
    async with AsyncExitStack() as stack:
        cast = Cast(
            crm_admin=await stack.enter_async_context(_client(endpoints["crm_vault"])),
            rep=await stack.enter_async_context(_client(endpoints["crm_vault"], sign_ins, "crm_vault")),
            medical_admin=await stack.enter_async_context(_client(endpoints["medical_vault"])),
            agent=await stack.enter_async_context(_client(endpoints["medical_vault"], sign_ins, "medical_vault")),
        )
        await _activate(cast, narration)
        inquiry = await _inquiry_becomes_case(cast, narration)
        await _outcome_returns(cast, narration, inquiry)
        await _unknown_product(cast, narration)
        await _delivered_twice(cast, narration, inquiry, endpoints["rabbitmq"]["amqp_url"])
    narration.close()


def _client(endpoint: Mapping[str, Any], sign_ins: Mapping[str, Any] | None = None, vault: str = "") -> VaultClient:
    account = (sign_ins or {}).get(vault, {}).get("business") or endpoint
    return VaultClient(endpoint["url"], account["username"], account["password"], client_id="medical-crm-demo")


async def until(what: str, question: Callable[[], Awaitable[Row | None]]) -> Row:
    """Ask until there is an answer; raises StoryFailed when none comes in time."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        answer = await question()
        if answer is not None:
            return answer
        await asyncio.sleep(POLL_SECONDS)
    message = f"{what} did not happen within {WAIT_SECONDS:.0f} s"
    raise StoryFailed(message)


async def _one(client: VaultClient, vql: str) -> Row | None:
    rows = (await client.query(vql)).rows
    return rows[0] if rows else None


async def _need(client: VaultClient, vql: str, what: str) -> Row:
    row = await _one(client, vql)
    if row is None:
        message = f"{what} is missing"
        raise StoryFailed(message)
    return row


async def _create(client: VaultClient, object_name: str, row: Row) -> str:
    (result,) = await client.create(object_name, [row])
    if not result.ok or result.id is None:
        message = f"creating {object_name} was refused: {'; '.join(e.message for e in result.errors)}"
        raise StoryFailed(message)
    return result.id


async def _activate(cast: Cast, narration: Narration) -> None:
    narration.chapter("An administrator activates the integration in both Vaults")
    for where, client in (("CRM", cast.crm_admin), ("Medical", cast.medical_admin)):
        connection = await _need(
            client, "SELECT id, name__v FROM connection__sys WHERE api_name__sys = 'medical_crm__v'", "the connection"
        )
        integration = await _need(
            client,
            "SELECT id, name__v, status__v FROM integration__sys "
            f"WHERE integration_api_name__sys = '{INTEGRATION}' AND connection__sys = '{connection['id']}'",
            "the integration",
        )
        narration.hop(
            where, f"{connection['name__v']} {connection['id']}: {integration['name__v']} is {_status(integration)}"
        )
        if integration["status__v"] != ["active__v"]:
            await client.update("integration__sys", [{"id": integration["id"], "status__v": "active__v"}])
            narration.hop(where, f"{integration['name__v']} {integration['id']} is active now")


def _status(row: Row) -> str:
    return "active" if row["status__v"] == ["active__v"] else "inactive"


async def _new_inquiry(cast: Cast, narration: Narration, product: Row, text: str) -> Row:
    """A rep writes an inquiry, submits it and transfers it."""
    account = await _need(
        cast.rep,
        "SELECT id, name__v, global_id__sys, primary_country__v FROM account__v "
        "WHERE status__v = 'active__v' AND primary_country__vr.country_code__v = 'US' ORDER BY id MAXROWS 1",
        "an account",
    )
    row = {
        "account__v": account["id"],
        "product__v": product["id"],
        "country__v": account["primary_country__v"],
        "inquiry_text__v": text,
        "delivery_method__v": "email__v",
        "email__v": "reader@practice.example",
    }
    inquiry_id = await _create(cast.rep, "medical_inquiry__v", row)
    inquiry = await cast.rep.record("medical_inquiry__v", inquiry_id)
    narration.hop(
        "CRM", f"inquiry {inquiry['name__v']} {inquiry_id} about {product['name__v']}, account {account['id']}"
    )
    await cast.rep.run_action("medical_inquiry__v", inquiry_id, f"{INQUIRY_ACTION}.saved_state__v.submit__v")
    narration.hop("CRM", "Submit: Saved → Submitted")
    await cast.rep.run_action(
        "medical_inquiry__v", inquiry_id, f"{INQUIRY_ACTION}.submitted_state__v.transfer_to_medical__v"
    )
    narration.hop("CRM", f"Transfer to Medical: message on {OUTBOUND}")
    narration.hop("Broker", f"{OUTBOUND} → {INBOUND}")
    return inquiry


async def _transfer_status(cast: Cast, inquiry_id: str, wanted: str) -> Row:
    async def ask() -> Row | None:
        row = await cast.rep.record("medical_inquiry__v", inquiry_id)
        return row if row["transfer_status__v"] == [wanted] else None

    return await until(f"Transfer Status {wanted} of inquiry {inquiry_id}", ask)


async def _case_of(cast: Cast, inquiry: Row) -> Row:
    return await _need(
        cast.agent,
        "SELECT id, name__v, case__v, case__vr.name__v, case__vr.case_contact__v, state__v "
        f"FROM case_request__v WHERE link__sys = '{inquiry['global_id__sys']}'",
        "the Case Request",
    )


async def _inquiry_becomes_case(cast: Cast, narration: Narration) -> Row:
    narration.chapter("A rep's inquiry becomes a Case in the Medical Vault")
    known = (await cast.agent.query("SELECT external_id__v FROM product__v WHERE external_id__v != null")).rows
    codes = ", ".join(f"'{row['external_id__v']}'" for row in known)
    product = await _need(
        cast.rep,
        f"SELECT id, name__v FROM product__v WHERE external_id__v CONTAINS ({codes}) ORDER BY id MAXROWS 1",
        "a product that both Vaults know",
    )
    started = time.monotonic()
    inquiry = await _new_inquiry(cast, narration, product, "Is a dose adjustment needed in renal impairment?")
    await _transfer_status(cast, inquiry["id"], "success__v")
    request = await _case_of(cast, inquiry)
    contact = request["case__vr.case_contact__v"]
    narration.hop("Medical", f"Case Contact {contact}, Case {request['case__vr.name__v']} {request['case__v']}")
    narration.hop("Medical", f"Case Request {request['name__v']} {request['id']} linked to {inquiry['global_id__sys']}")
    narration.hop("CRM", f"Transfer Status is Success, {time.monotonic() - started:.2f} s after the rep began")
    (refused,) = await cast.rep.update(
        "medical_inquiry__v", [{"id": inquiry["id"], "email__v": "other@practice.example"}]
    )
    if refused.ok:
        message = "a transferred inquiry could still be edited"
        raise StoryFailed(message)
    narration.hop("CRM", f"an edit by the rep is refused: {refused.errors[0].type}")
    narration.transferred("Medical Inquiry", f"CRM {inquiry['id']}", f"Case {request['case__v']}", "Success")
    return inquiry


async def _outcome_returns(cast: Cast, narration: Narration, inquiry: Row) -> None:
    narration.chapter("An agent answers, and the outcome returns to CRM")
    request = await _case_of(cast, inquiry)
    await cast.agent.run_action("case_request__v", request["id"], f"{REQUEST_ACTION}.new_state__v.start_work__v")
    narration.hop("Medical", f"Start Work on {request['name__v']}: message on {RETURN_OUTBOUND}")
    await _inquiry_status(cast, inquiry["id"], "in_progress__v")
    narration.hop("Broker", f"{RETURN_OUTBOUND} → {RETURN_INBOUND}")
    narration.hop("CRM", f"inquiry {inquiry['name__v']} is In Progress")
    answer = {
        "response_notes__v": "No adjustment is needed in mild or moderate impairment; see the package.",
        "response_package_link__v": "https://packages.example/response/1",
    }
    await cast.agent.run_action(
        "case_request__v", request["id"], f"{REQUEST_ACTION}.in_progress_state__v.close__v", answer
    )
    narration.hop("Medical", f"Close on {request['name__v']} with response notes and a package link")
    row = await _inquiry_status(cast, inquiry["id"], "closed__v")
    if row["response__v"] != answer["response_notes__v"]:
        message = "the response notes did not reach the inquiry"
        raise StoryFailed(message)
    narration.hop(
        "CRM", f"inquiry {inquiry['name__v']} is Closed since {row['closed_date__v']}, response and link are there"
    )
    narration.transferred("Case Request outcome", f"Medical {request['id']}", f"inquiry {inquiry['id']}", "Closed")


async def _inquiry_status(cast: Cast, inquiry_id: str, wanted: str) -> Row:
    async def ask() -> Row | None:
        row = await cast.rep.record("medical_inquiry__v", inquiry_id)
        return row if row["inquiry_status__v"] == [wanted] else None

    return await until(f"Inquiry Status {wanted} of inquiry {inquiry_id}", ask)


async def _unknown_product(cast: Cast, narration: Narration) -> None:
    narration.chapter("A product that the Medical Vault does not know")
    code = f"DEMO-{uuid4().hex[:8].upper()}"
    product = {"name__v": f"Demovir {code[-8:]}", "external_id__v": code}
    product_id = await _create(cast.crm_admin, "product__v", product)
    inquiry = await _new_inquiry(cast, narration, {**product, "id": product_id}, "Is there experience in pregnancy?")
    await _transfer_status(cast, inquiry["id"], "failed__v")
    item = await _exception_item(cast, inquiry["id"])
    message_id = item["exception_message__sys"]
    narration.hop("CRM", "Transfer Status is Failed")
    narration.hop("Medical", f"User Exception Message {message_id}, item: {item['error_message__sys']}")
    await _create(cast.medical_admin, "product__v", product)
    narration.hop("Medical", f"the administrator adds product {code}")
    await cast.medical_admin.run_action("exception_message__sys", message_id, RETRY)
    narration.hop("Medical", f"Retry Transfer: message on {INBOUND}")
    await _transfer_status(cast, inquiry["id"], "success__v")
    request = await _case_of(cast, inquiry)
    narration.hop("Medical", f"Case Request {request['name__v']} {request['id']}")

    async def resolved() -> Row | None:
        row = await cast.medical_admin.record("exception_message__sys", message_id)
        return row if row["error_status__sys"] == ["resolved__sys"] else None

    await until("resolving the exception", resolved)
    narration.hop("Medical", f"User Exception Message {message_id} is resolved and kept")
    narration.transferred(
        "Medical Inquiry", f"CRM {inquiry['id']}", f"Case {request['case__v']}", "Failed, then Success"
    )


async def _exception_item(cast: Cast, inquiry_id: str) -> Row:
    async def ask() -> Row | None:
        return await _one(
            cast.medical_admin,
            "SELECT id, exception_message__sys, error_message__sys FROM exception_item__sys "
            f"WHERE item__sys = '{inquiry_id}' AND error_status__sys = 'open__sys'",
        )

    return await until("the User Exception Item", ask)


async def _delivered_twice(cast: Cast, narration: Narration, inquiry: Row, amqp_url: str) -> None:
    narration.chapter("The same message delivered twice makes one Case")
    now = datetime.now(UTC)
    point = "medical_inquiry_details_inbound__v"
    attributes = {"object": "medical_inquiry__v", "event": "transfer", "integration_point": point}
    message = Message(attributes=attributes, items=(inquiry["id"],))
    envelope = Envelope("Vault CRM", "localhost", INBOUND, now, now, 1, str(uuid4()), message)
    headers = {"vault_id": cast.crm_admin.vault_id}
    async with BrokerConnection(f"{amqp_url.rstrip('/')}/medical", "demo") as broker:
        publisher = Publisher(broker, Direction.INBOUND.exchange)
        await publisher.publish_all([Outgoing(INBOUND, envelope.encode(), envelope.message_id, headers)] * 2)
        await publisher.close()
    narration.hop("Broker", f"message {envelope.message_id} published twice on {INBOUND}")

    async def drained() -> Row | None:
        queue = await cast.medical_admin.queue(INBOUND)
        return queue if queue["messages_in_queue"] == 0 else None

    await until("draining the queue", drained)
    rows = await cast.agent.query(f"SELECT id FROM case_request__v WHERE link__sys = '{inquiry['global_id__sys']}'")
    if len(rows.rows) != 1:
        raise StoryFailed(f"the inquiry has {len(rows.rows)} Case Requests")
    narration.hop("Medical", "the inquiry still has one Case Request")
    narration.transferred(
        "Message, delivered twice", f"CRM {inquiry['id']}", str(rows.rows[0]["id"]), "One Case Request"
    )
