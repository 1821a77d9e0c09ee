"""Establishes a Vault to Vault connection: a signed file goes to the other Vault, and its signed acceptance comes back.

An administrator uploads the acceptance in the Vault that issued the file, which learns by it that the file was
accepted. Both documents contain the same nonce, and each Vault accepts it once.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, assert_never

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, Operation, authorize, require
from shared.vault.connections import connection_file as document
from shared.vault.connections.connection_file import Document, InvalidDocument, Kind
from shared.vault.connections.connection_rules import (
    OBJECT,
    ConnectionType,
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

# The connection of an API name, locked: of two uploads at once the second one finds it established.
FIND = f"""
SELECT id, api_name__sys, object_type__v, state__v, remote_vault_id__sys FROM records.{OBJECT}
WHERE api_name__sys = $1 FOR UPDATE
"""
# The API name of a connection.
BY_ID = f"SELECT api_name__sys FROM records.{OBJECT} WHERE id = $1"
# A file that this Vault issues, and one of another Vault that it takes, unless it has been taken before.
ISSUE = """
INSERT INTO platform.connection_file (nonce_hash, connection_id, issued, expires, created_by)
VALUES ($1, $2, true, $3, $4)
"""
TAKE = """
INSERT INTO platform.connection_file (nonce_hash, connection_id, issued, used, expires, created_by)
VALUES ($1, $2, false, true, $3, $4) ON CONFLICT (nonce_hash) DO NOTHING RETURNING connection_id
"""
# The file that an acceptance answers.
ISSUED = "SELECT connection_id, used FROM platform.connection_file WHERE nonce_hash = $1 AND issued FOR UPDATE"
# All unused files of a connection become invalid when it is established by one of them.
USE = "UPDATE platform.connection_file SET used = true WHERE connection_id = $1 AND issued"


@dataclass(frozen=True, slots=True)
class Identity:
    """The description of a Vault in its connection documents; ``url`` may be empty, files expire in ``file_days``."""

    vault_id: int
    name: str
    dns: str
    url: str
    domain_type: DomainType
    file_days: int


@dataclass(frozen=True, slots=True)
class Established:
    """The result of an upload: the connection and its state now.

    ``acceptance`` is to be uploaded in the other Vault; None when the uploaded file was itself an acceptance.
    """

    connection: str
    state: State
    acceptance: bytes | None


class Handshake:
    """Issues and accepts connection files and acceptances for one Vault."""

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
        """Return a new connection file of a Pending connection.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not manage connections; INVALID_DATA for an unknown
            connection; OPERATION_NOT_ALLOWED for one that is not Vault to Vault, or not Pending.
        """
        self._authorize(caller)
        nonce = secrets.token_hex(32)
        expires = datetime.now(UTC) + timedelta(days=self._identity.file_days)
        async with self._database.transaction() as connection:
            row = await _pending(connection, api_name)
            # The digest alone is stored: who reads the database cannot forge an acceptance.
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
        self,
        caller: Caller,
        text: bytes,
        api_name: str = "",
    ) -> Established:
        """Process an uploaded file or acceptance; ``api_name`` is the file's connection, by default the one it names.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not manage connections; INVALID_DATA for a text that
            is no such file, was changed, or names no connection of this Vault; OPERATION_NOT_ALLOWED for a file that
            has expired, was used, or is for another Vault.
        """
        self._authorize(caller)
        try:
            received = document.read(text)
        except InvalidDocument as fault:
            raise VaultFault(ErrorType.INVALID_DATA, str(fault)) from fault
        if received.expired:
            raise _refused("The file has expired; download a new one")
        addressee = received.remote_vault_id
        if addressee not in (None, self._identity.vault_id):
            raise _refused(f"The file is for Vault {addressee}, not for this one")
        match received.kind:
            case Kind.ACCEPTANCE:
                return await self._complete(caller, received)
            case Kind.CONNECTION_FILE:
                if received.vault_id == self._identity.vault_id:
                    raise _refused(
                        "The file was issued by this Vault; upload it in the other Vault"
                    )
                name = api_name or received.connection
                return await self._accept(caller, received, name)
            case _:
                assert_never(received.kind)

    async def _accept(
        self,
        caller: Caller,
        received: Document,
        api_name: str,
    ) -> Established:
        """Establish a connection with the Vault that issued a file, and return it with the acceptance.

        :raises VaultFault: as ``upload`` does.
        """
        expires = datetime.fromisoformat(received.expires)
        digest = _digest(received.nonce)

        async def work(connection: Connection) -> list[RowResult]:
            row = await _pending(connection, api_name)
            _require_expected(row, received)
            taken = await connection.fetchval(
                TAKE, digest, row["id"], expires, caller.user_id
            )
            if taken is None:
                raise _refused("The file has been used; download a new one")
            return await self._establish(
                connection, caller, row["id"], received, State.ACTIVE
            )

        await self._carry_out(work)
        acceptance = self._write(
            Kind.ACCEPTANCE,
            api_name,
            received.vault_id,
            received.connection,
            received.nonce,
            expires,
        )
        return Established(api_name, State.ACTIVE, acceptance)

    async def _complete(
        self,
        caller: Caller,
        received: Document,
    ) -> Established:
        """Establish the connection whose file an acceptance answers.

        :raises VaultFault: as ``upload`` does.
        """
        results: list[Established] = []

        async def work(connection: Connection) -> list[RowResult]:
            name = await _answered(connection, received.nonce)
            row = await _pending(connection, name)
            _require_expected(row, received)
            await connection.execute(USE, row["id"])
            # Where nobody named the remote Vault before, an administrator has to approve the one that answered.
            expected = row["remote_vault_id__sys"]
            state = State.ACTIVE if expected else State.PENDING_APPROVAL
            results.append(Established(name, state, None))
            return await self._establish(connection, caller, row["id"], received, state)

        await self._carry_out(work)
        # A transaction that was repeated has left a result for each time.
        return results[-1]

    async def _establish(
        self,
        connection: Connection,
        caller: Caller,
        record_id: str,
        received: Document,
        state: State,
    ) -> list[RowResult]:
        """Store a connection's state and its Remote Vault Details, and return the rows of the change."""
        # The other Vault may have longer texts than the fields here.
        changes = {
            "state__v": state.value,
            "domain_type__sys": self._identity.domain_type.value_name,
            "remote_vault_id__sys": str(received.vault_id),
            "remote_vault_name__sys": received.vault_name[:255],
            "remote_dns__sys": received.dns[:255],
            "remote_domain_type__sys": received.domain_type.value_name,
            "remote_connection__sys": received.connection[:40],
        }
        target = self._components.registry.objects[OBJECT]
        return await self._records.change_in(
            connection, caller, target, [record_id], {}, changes
        )

    async def _carry_out(
        self, work: Callable[[Connection], Awaitable[list[RowResult]]]
    ) -> None:
        """Run the work in a transaction.

        :raises VaultFault: as the work does; or the error of the first record that could not be changed.
        """
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
        """Return a signed document of this Vault."""
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
        """Check that the caller may manage and edit connections.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not.
        """
        authorize(caller, Grant.MANAGE_CONNECTIONS)
        require(caller, OBJECT, Operation.EDIT)


async def _pending(connection: Connection, api_name: str) -> Record:
    """Return the Pending Vault to Vault connection with an API name, locked until the transaction ends.

    :raises VaultFault: INVALID_DATA for an unknown connection; OPERATION_NOT_ALLOWED for one of another type or state.
    """
    possible = "\x00" not in api_name
    row = await connection.fetchrow(FIND, api_name) if possible else None
    if row is None:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"There is no connection [{api_name[:40]}]"
        )
    if row["object_type__v"] != ConnectionType.VAULT_TO_VAULT:
        raise _refused(f"Connection [{api_name}] is not a Vault to Vault connection")
    if row["state__v"] != State.PENDING:
        raise _refused(
            f"Connection [{api_name}] is not Pending; inactivate it and establish it again"
        )
    return row


async def _answered(connection: Connection, nonce: str) -> str:
    """Return the API name of the connection whose file has the nonce, locked against another upload.

    :raises VaultFault: OPERATION_NOT_ALLOWED when this Vault has not issued the file, or the file was used.
    """
    issued = await connection.fetchrow(ISSUED, _digest(nonce))
    if issued is None:
        raise _refused("The acceptance answers no connection file of this Vault")
    if issued["used"]:
        raise _refused("The connection file has been used; download a new one")
    name = await connection.fetchval(BY_ID, issued["connection_id"])
    return name or ""


def _require_expected(row: Record, received: Document) -> None:
    """Check that a document comes from the Vault that the connection names, if it names one.

    :raises VaultFault: OPERATION_NOT_ALLOWED when it comes from another one.
    """
    expected = row["remote_vault_id__sys"]
    if expected not in (None, str(received.vault_id)):
        text = f"The file comes from Vault {received.vault_id}, but the connection has another Remote Vault ID"
        raise _refused(text)


def _refused(text: str) -> VaultFault:
    """Return the fault for a document or a connection that cannot be used to establish a connection."""
    return VaultFault(ErrorType.OPERATION_NOT_ALLOWED, text)


def _digest(nonce: str) -> bytes:
    """Return the digest under which a nonce is stored."""
    # A signed document may hold any text, halves of characters among it.
    encoded = nonce.encode("utf-8", "surrogatepass")
    return hashlib.sha256(encoded).digest()
