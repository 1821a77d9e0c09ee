"""Establishing a Vault to Vault connection: a signed file goes to the other Vault, its signed acceptance comes back.

The Vault that issues the file learns of the upload by the acceptance, which an administrator uploads there. Both
documents carry the same nonce, and each Vault takes it once.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, Operation, authorize, require
from shared.vault.connections import connection_file as document
from shared.vault.connections.connection_file import Document, InvalidDocument, Kind
from shared.vault.connections.connection_rules import (
    OBJECT,
    VAULT_TO_VAULT,
    DomainType,
    State,
)
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.connections.signing import Signing
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.rows import RowResult
    from shared.vault.storage.database import Connection, Database

FIND = f"""
SELECT id, api_name__sys, object_type__v, state__v, remote_vault_id__sys FROM records.{OBJECT}
WHERE api_name__sys = $1 FOR UPDATE
"""
BY_ID = f"SELECT api_name__sys FROM records.{OBJECT} WHERE id = $1"
ISSUE = """
INSERT INTO platform.connection_file (nonce_hash, connection_id, issued, expires, created_by)
VALUES ($1, $2, true, $3, $4)
"""
TAKE = """
INSERT INTO platform.connection_file (nonce_hash, connection_id, issued, used, expires, created_by)
VALUES ($1, $2, false, true, $3, $4) ON CONFLICT (nonce_hash) DO NOTHING RETURNING connection_id
"""
ISSUED = "SELECT connection_id, used FROM platform.connection_file WHERE nonce_hash = $1 AND issued FOR UPDATE"
# One establishing ends all files of the connection that are still out.
USE = "UPDATE platform.connection_file SET used = true WHERE connection_id = $1 AND issued"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a Vault says of itself in its documents; ``url`` may be empty, ``file_days`` is how long a file is good."""

    vault_id: int
    name: str
    dns: str
    url: str
    domain_type: DomainType
    file_days: int


@dataclass(frozen=True, slots=True)
class Established:
    """What an upload has come to; ``acceptance`` is to be uploaded in the Vault that issued the file, if any."""

    connection: str
    state: State
    acceptance: bytes | None


class Handshake:
    """Issues and takes connection files and acceptances for one Vault."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        records: RecordService,
        signing: Signing,
        identity: Identity,
    ) -> None:
        self._database = database
        self._components = components
        self._records = records
        self._signing = signing
        self._identity = identity

    async def file(self, caller: Caller, api_name: str) -> bytes:
        """A new connection file of a Pending connection.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA for an unknown connection; OPERATION_NOT_ALLOWED.
        """
        self._authorize(caller)
        nonce, expires = (
            secrets.token_hex(32),
            datetime.now(UTC) + timedelta(days=self._identity.file_days),
        )
        async with self._database.transaction() as connection:
            row = await _pending(connection, api_name)
            await connection.execute(
                ISSUE, _digest(nonce), row["id"], expires, caller.user_id
            )
        remote = row["remote_vault_id__sys"]
        return self._write(
            Kind.CONNECTION_FILE,
            api_name,
            int(remote) if remote else None,
            "",
            nonce,
            expires,
        )

    async def upload(
        self, caller: Caller, text: bytes, api_name: str = ""
    ) -> Established:
        """Take a connection file or an acceptance; a file is for the connection ``api_name``, or that of its own name.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA for what is no such file, has been changed, or names no
            connection here; OPERATION_NOT_ALLOWED for one that has expired, was used, or is for another Vault.
        """
        self._authorize(caller)
        try:
            given = document.read(text)
        except InvalidDocument as fault:
            raise VaultFault(ErrorType.INVALID_DATA, str(fault)) from fault
        if given.expired:
            raise _refused("The file has expired; download a new one")
        if (
            given.remote_vault_id is not None
            and given.remote_vault_id != self._identity.vault_id
        ):
            raise _refused(
                f"The file is for Vault {given.remote_vault_id}, not for this one"
            )
        if given.kind is Kind.ACCEPTANCE:
            return await self._complete(caller, given)
        if given.vault_id == self._identity.vault_id:
            raise _refused(
                "The file was issued by this Vault; upload it in the other one"
            )
        return await self._accept(caller, given, api_name or given.connection)

    async def _accept(
        self, caller: Caller, given: Document, api_name: str
    ) -> Established:
        expires = datetime.fromisoformat(given.expires)

        async def work(connection: Connection) -> list[RowResult]:
            row = await _pending(connection, api_name)
            _require_expected(row, given)
            digest = _digest(given.nonce)
            if (
                await connection.fetchval(
                    TAKE, digest, row["id"], expires, caller.user_id
                )
                is None
            ):
                raise _refused("The file has been used; download a new one")
            return await self._establish(
                connection, caller, row["id"], given, State.ACTIVE
            )

        await self._carry_out(work)
        acceptance = self._write(
            Kind.ACCEPTANCE,
            api_name,
            given.vault_id,
            given.connection,
            given.nonce,
            expires,
        )
        return Established(api_name, State.ACTIVE, acceptance)

    async def _complete(self, caller: Caller, given: Document) -> Established:
        name, state = given.remote_connection, State.ACTIVE

        async def work(connection: Connection) -> list[RowResult]:
            nonlocal name, state
            issued = await connection.fetchrow(ISSUED, _digest(given.nonce))
            if issued is None:
                raise _refused(
                    "The acceptance answers no connection file of this Vault"
                )
            if issued["used"]:
                raise _refused("The connection file has been used; download a new one")
            name = await connection.fetchval(BY_ID, issued["connection_id"]) or ""
            row = await _pending(connection, name)
            _require_expected(row, given)
            await connection.execute(USE, row["id"])
            state = (
                State.ACTIVE if row["remote_vault_id__sys"] else State.PENDING_APPROVAL
            )
            return await self._establish(connection, caller, row["id"], given, state)

        await self._carry_out(work)
        return Established(name, state, None)

    async def _establish(
        self,
        connection: Connection,
        caller: Caller,
        record_id: str,
        given: Document,
        state: State,
    ) -> list[RowResult]:
        changes = {
            "state__v": state.value,
            "domain_type__sys": self._identity.domain_type.value_name,
            "remote_vault_id__sys": str(given.vault_id),
            "remote_vault_name__sys": given.vault_name[:255],
            "remote_dns__sys": given.dns[:255],
            "remote_domain_type__sys": given.domain_type.value_name,
            "remote_connection__sys": given.connection[:40],
        }
        target = self._components.registry.objects[OBJECT]
        return await self._records.change_in(
            connection, caller, target, [record_id], {}, changes
        )

    async def _carry_out(
        self, work: Callable[[Connection], Awaitable[list[RowResult]]]
    ) -> None:
        for result in await self._records.carry_out(work):
            if result.errors:
                raise VaultFault(result.errors[0].type, result.errors[0].message)

    def _write(
        self,
        kind: Kind,
        api_name: str,
        remote: int | None,
        remote_connection: str,
        nonce: str,
        expires: datetime,
    ) -> bytes:
        own = self._identity
        written = Document(
            kind=kind,
            vault_id=own.vault_id,
            vault_name=own.name,
            dns=own.dns,
            url=own.url,
            domain_type=own.domain_type,
            connection=api_name,
            remote_vault_id=remote,
            remote_connection=remote_connection,
            nonce=nonce,
            expires=expires.isoformat(timespec="milliseconds"),
        )
        return document.write(written, self._signing.certificate, self._signing.sign)

    @staticmethod
    def _authorize(caller: Caller) -> None:
        authorize(caller, Grant.MANAGE_CONNECTIONS)
        require(caller, OBJECT, Operation.EDIT)


async def _pending(connection: Connection, api_name: str) -> Record:
    """The Vault to Vault connection of this API name, locked; raises VaultFault unless it is Pending."""
    row = await connection.fetchrow(FIND, api_name) if "\x00" not in api_name else None
    if row is None:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"There is no connection [{api_name[:40]}]"
        )
    if row["object_type__v"] != VAULT_TO_VAULT:
        raise _refused(f"Connection [{api_name}] is no Vault to Vault connection")
    if row["state__v"] != State.PENDING:
        raise _refused(
            f"Connection [{api_name}] is not Pending; inactivate it and establish it again"
        )
    return row


def _require_expected(row: Record, given: Document) -> None:
    if row["remote_vault_id__sys"] not in (None, str(given.vault_id)):
        text = f"The file comes from Vault {given.vault_id}, and the connection's Remote Vault ID is another"
        raise _refused(text)


def _refused(text: str) -> VaultFault:
    return VaultFault(ErrorType.OPERATION_NOT_ALLOWED, text)


def _digest(nonce: str) -> bytes:
    return hashlib.sha256(nonce.encode("utf-8", "surrogatepass")).digest()
