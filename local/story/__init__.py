"""Plays the story of the connection through the public APIs: ``make demo``, ``make test-compose``."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from local.narration import Narration
from local.story import agreements, content, custom, inquiries, metadata, second_crm
from local.story.cast import Cast, StoryFailed
from shared.client import VaultClient

__all__ = ["StoryFailed", "play"]


async def play(
    endpoints: Mapping[str, Any],
    narration: Narration,
    sign_ins: Mapping[str, Any] | None = None,
) -> None:
    """Play the whole story against a running system.

    ``endpoints`` has the form of ``.run/endpoints.json``; without ``sign_ins`` the administrators act as rep and agent.
    The chapter of the second Vault CRM is played if ``endpoints`` has one.

    :raises StoryFailed: a step has another result than the story expects.
    :raises ClientError: a Vault refused a call or does not answer.
    """
    async with AsyncExitStack() as stack:

        async def client(
            vault: str, accounts: Mapping[str, Any] | None = None
        ) -> VaultClient:
            endpoint = endpoints[vault]
            users = (accounts or {}).get(vault, {})
            account = users.get("business") or endpoint
            made = VaultClient(
                endpoint["url"],
                account["username"],
                account["password"],
                client_id="medical-crm-demo",
            )
            return await stack.enter_async_context(made)

        async def cast(crm: str) -> Cast:
            return Cast(
                crm_admin=await client(crm),
                rep=await client(crm, sign_ins),
                medical_admin=await client("medical_vault"),
                agent=await client("medical_vault", sign_ins),
            )

        first = await cast("crm_vault")
        await inquiries.activated(first, narration)
        inquiry = await inquiries.inquiry_becomes_case(first, narration)
        await inquiries.outcome_returns(first, narration, inquiry)
        await inquiries.unknown_product(first, narration)
        broker = endpoints["rabbitmq"]["amqp_url"]
        await inquiries.delivered_twice(first, narration, inquiry, broker)
        await agreements.followed(first, narration)
        await metadata.synced(first, narration)
        await content.published(first, narration)
        await custom.without_code(first, narration)
        if second_crm.VAULT in endpoints:
            second = await cast(second_crm.VAULT)
            await second_crm.joins(first, second, narration)
    narration.close()
