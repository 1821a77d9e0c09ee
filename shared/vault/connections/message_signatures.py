"""Signs the messages that connectors send to the addresses of External connections."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.spark.broker_errors import MalformedMessage
from shared.spark.envelope import Envelope
from shared.spark.signatures import SIGNATURE, signature_headers, signed_text
from shared.vault.access.permissions import Grant, authorize
from shared.vault.connections.connection_model import EXTERNAL, OBJECT, State
from shared.vault.connections.signing import CERTIFICATE_ID
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.connections.signing import Signing
    from shared.vault.storage.database import Database

MAX_MESSAGES = 500
FIND = f"""
SELECT object_type__v, url__sys, state__v = '{State.ACTIVE}' AND status__v = 'active__v' AS active
FROM records.{OBJECT} WHERE api_name__sys = $1
"""


@dataclass(frozen=True, slots=True)
class Signed:
    """Where a connection's messages go, and the headers of each, in order."""

    url: str
    headers: tuple[dict[str, str], ...]


class MessageSigning:
    """Signs messages for one Vault: its own envelopes only, for the addresses of its own connections."""

    def __init__(self, database: Database, signing: Signing, vault_id: int) -> None:
        self._database = database
        self._signing = signing
        self._vault_id = vault_id

    async def sign(
        self, caller: Caller, api_name: str, bodies: Sequence[bytes]
    ) -> Signed:
        """Sign messages that are about to be sent over an Active External connection.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA for an unknown connection, or what is no message;
            OPERATION_NOT_ALLOWED for a connection that is not External, or not Active.
        """
        authorize(caller, Grant.SIGN_MESSAGES)
        if len(bodies) > MAX_MESSAGES:
            raise VaultFault(
                ErrorType.INVALID_DATA,
                f"At most {MAX_MESSAGES} messages are signed at once",
            )
        url = await self._address(api_name)
        message_ids = [_message_id(body) for body in bodies]
        return await asyncio.to_thread(self._signed, url, message_ids, bodies)

    async def _address(self, api_name: str) -> str:
        async with self._database.connection() as connection:
            row = (
                await connection.fetchrow(FIND, api_name)
                if "\x00" not in api_name
                else None
            )
        if row is None:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"There is no connection [{api_name[:40]}]"
            )
        if row["object_type__v"] != EXTERNAL or not row["active"]:
            text = f"Connection [{api_name}] is no Active External connection"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, text)
        return str(row["url__sys"])

    def _signed(
        self, url: str, message_ids: Sequence[str], bodies: Sequence[bytes]
    ) -> Signed:
        signed = []
        for message_id, body in zip(message_ids, bodies, strict=True):
            headers = signature_headers(
                certificate_id=CERTIFICATE_ID,
                execution_id=secrets.token_hex(8),
                message_id=message_id,
                vault_id=self._vault_id,
                url=url,
                moment=datetime.now(UTC),
            )
            signature = self._signing.sign(signed_text(headers, body))
            signed.append({**headers, SIGNATURE: base64.b64encode(signature).decode()})
        return Signed(url, tuple(signed))


def _message_id(body: bytes) -> str:
    try:
        return Envelope.parse(body).message_id
    except MalformedMessage as problem:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"Not a message: {problem.reason}"
        ) from None
