"""Takes a signed message in: who sent it, whether it is good and new, and onto which queue it goes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from services.connector.receiving.replays import Replays
from services.connector.receiving.verification import Claim, NotVerified, verify
from services.connector.vaults.vaults import ConnectedVault, Vaults
from shared.client.errors import VaultRefused
from shared.spark.envelope import Envelope
from shared.spark.publisher import Outgoing

SESSION_ATTRIBUTE = "authorization"
"""Where a sender may put a session of its Vault; the connector has its own, and no session goes to the broker."""

MAX_CERTIFICATES = 100


class UnknownAddress(Exception):
    """No Vault of this connector has this name."""


class Replayed(Exception):
    """The very same message was taken before."""


class SignedMessages:
    """Messages that Vaults elsewhere post to this connector, whose address others know as ``public_url``."""

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url.rstrip("/")
        self._replays = Replays()
        self._certificates: dict[tuple[int, str], str] = {}
        self._asking = asyncio.Lock()

    async def take(
        self,
        vaults: Vaults,
        target: str,
        queue: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> None:
        """Put a message on the inbound queue ``queue`` of the Vault that the settings name ``target``.

        :raises UnknownAddress, NotVerified, Replayed, Full: it is not taken.
        :raises MalformedMessage, Unroutable, BrokerUnavailable, VaultUnavailable: it cannot be.
        """
        own = next((vault for vault in vaults.connected if vault.name == target), None)
        if own is None:
            raise UnknownAddress
        now = datetime.now(UTC)
        claim = Claim.read(
            headers, f"{self._public_url}/messages/{target}/{queue}", now
        )
        verify(claim, headers, body, await self._certificate(vaults, own, claim))
        envelope = Envelope.parse(body)
        if envelope.message_id != claim.message_id:
            raise NotVerified("it is another message than its headers say")
        if not self._replays.take(claim.signature, claim.not_after, now):
            raise Replayed
        try:
            await own.publisher.publish(_outgoing(envelope, queue, claim.vault_id))
        except BaseException:
            self._replays.give_back(claim.signature)
            raise

    async def _certificate(
        self, vaults: Vaults, own: ConnectedVault, claim: Claim
    ) -> str:
        """The sender's certificate, asked of the address that the settings have for it, one question at a time."""
        sender = vaults.get(claim.vault_id)
        if sender is None or sender is own:
            raise NotVerified("its Vault is not among the connector's Vaults")
        key = (claim.vault_id, claim.certificate_id)
        if known := self._certificates.get(key):
            return known
        async with self._asking:
            if key not in self._certificates:
                try:
                    certificate = await sender.client.certificate(claim.certificate_id)
                except VaultRefused:
                    raise NotVerified("its Vault has no such certificate") from None
                if len(self._certificates) >= MAX_CERTIFICATES:
                    self._certificates.clear()
                self._certificates[key] = certificate
        return self._certificates[key]


def _outgoing(envelope: Envelope, queue: str, sender: int) -> Outgoing:
    attributes = {
        name: value
        for name, value in envelope.message.attributes.items()
        if name != SESSION_ATTRIBUTE
    }
    message = replace(envelope.message, attributes=attributes)
    sent = replace(envelope, queue_name=queue, message=message)
    headers = {"vault_id": sender, "x-attempt": envelope.send_attempt}
    return Outgoing(
        queue=queue, body=sent.encode(), message_id=sent.message_id, headers=headers
    )
