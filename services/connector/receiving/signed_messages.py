"""Accepts signed messages: finds the sender, checks that a message is valid and new, and puts it on its queue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from services.connector.receiving.replays import Replays
from services.connector.receiving.verification import Claim, NotVerified, verify
from services.connector.vaults.vaults import ConnectedVault, KnownVault, Vaults
from shared.client.errors import VaultRefused
from shared.spark.envelope import Envelope
from shared.spark.publisher import Outgoing

# Where a sender may put a session of its Vault. The connector has its own, and no session goes to the broker.
SESSION_ATTRIBUTE = "authorization"
# Far more than a connector has Vaults; a certificate that is renewed is one more.
MAX_CERTIFICATES = 100


class UnknownAddress(Exception):
    """Raised for an address that names no Vault of this connector."""


class Replayed(Exception):
    """Raised for a message that was accepted before."""


class SignedMessages:
    """Accepts the messages that Vaults elsewhere post to this connector."""

    def __init__(self, public_url: str) -> None:
        """Take this connector's public address, which is part of what senders sign."""
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
        read: Callable[[], Awaitable[bytes]],
    ) -> None:
        """Put a message on the inbound queue ``queue`` of the Vault that the settings name ``target``.

        ``read`` reads the body, and is called only when the headers are those of a known Vault's message.

        :raises UnknownAddress: this connector has no such Vault.
        :raises NotVerified: the message is not what a known Vault has signed for this address and moment.
        :raises Replayed: the message was accepted before.
        :raises Full: too many signatures are valid now to remember one more.
        :raises MalformedMessage: its body is no Spark message.
        :raises Unroutable: the Vault has no such queue.
        :raises BrokerUnavailable: the broker is away.
        :raises VaultUnavailable: the sender's Vault is away, and its certificate is not known here.
        """
        own = next((vault for vault in vaults.connected if vault.name == target), None)
        if own is None:
            raise UnknownAddress
        now = datetime.now(UTC)
        address = f"{self._public_url}/messages/{target}/{queue}"
        claim = Claim.read(headers, address, now)
        certificate = await self._certificate(vaults, own, claim)
        body = await read()
        verify(claim, headers, body, certificate)
        # Parsed once it is verified: bodies of strangers are not read at all.
        envelope = Envelope.parse(body)
        if envelope.message_id != claim.message_id:
            raise NotVerified("its headers name another message")
        if not self._replays.take(claim.signature, claim.not_after, now):
            raise Replayed
        try:
            outgoing = _outgoing(envelope, queue, claim.vault_id)
            await own.publisher.publish(outgoing)
        # The sender repeats what was not confirmed, with the same signature.
        except BaseException:
            self._replays.give_back(claim.signature)
            raise

    async def _certificate(
        self,
        vaults: Vaults,
        own: ConnectedVault,
        claim: Claim,
    ) -> str:
        """Return the sender's certificate, from the Vault that the settings name and never from an address in headers.

        :raises NotVerified: the sender is no Vault of this connector, or has no such certificate.
        """
        sender = vaults.get(claim.vault_id)
        if sender is None or sender is own:
            raise NotVerified("its Vault is not among the connector's Vaults")
        key = (claim.vault_id, claim.certificate_id)
        known = self._certificates.get(key)
        if known:
            return known
        # One question at a time, so that a flood of forged messages does not become one of calls to the Vault.
        async with self._asking:
            if key not in self._certificates:
                certificate = await _fetched(sender, claim.certificate_id)
                if len(self._certificates) >= MAX_CERTIFICATES:
                    self._certificates.clear()
                self._certificates[key] = certificate
        return self._certificates[key]


async def _fetched(sender: KnownVault, certificate_id: str) -> str:
    try:
        return await sender.client.certificate(certificate_id)
    except VaultRefused:
        raise NotVerified("its Vault has no such certificate") from None


def _outgoing(envelope: Envelope, queue: str, sender: int) -> Outgoing:
    attributes = {
        name: value
        for name, value in envelope.message.attributes.items()
        if name != SESSION_ATTRIBUTE
    }
    message = replace(envelope.message, attributes=attributes)
    forwarded = replace(envelope, queue_name=queue, message=message)
    headers = {"vault_id": sender, "x-attempt": envelope.send_attempt}
    return Outgoing(
        queue=queue,
        body=forwarded.encode(),
        message_id=forwarded.message_id,
        headers=headers,
    )
