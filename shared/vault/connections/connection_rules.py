"""Checks the records of connections, and carries out the actions of their lifecycle."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import SYSTEM
from shared.vault.access.permissions import holds_all_of
from shared.vault.components.platform import BASE_TYPE
from shared.vault.components.registry import object_type_id
from shared.vault.errors import ApiError, VaultFault

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.connections.allowed_addresses import AllowedAddresses
    from shared.vault.records.named_actions import ActionContext
    from shared.vault.records.rows import NewRow
    from shared.vault.security.sessions import SecurityProfiles
    from shared.vault.storage.database import Connection

OBJECT = "connection__sys"
API_NAME = re.compile(r"[a-z0-9_]{1,40}")
VAULT_ID = re.compile(r"[1-9][0-9]{0,18}")
AUTHORIZED_USER = "authorized_connection_user__sys"
MIGHTIER = "The Authorized Connection User has more permissions than the caller, who may therefore not set this user"


class State(StrEnum):
    """States of ``connection_lifecycle__sys``."""

    PENDING = "pending_state__sys"
    PENDING_APPROVAL = "pending_approval_state__sys"
    ACTIVE = "active_state__sys"
    INACTIVE = "inactive_state__sys"


class DomainType(StrEnum):
    """The domain types of Vaults; a sandbox Vault never writes into a production Vault."""

    PRODUCTION = "production"
    SANDBOX = "sandbox"

    @property
    def value_name(self) -> str:
        """Return the name of this value in picklist ``domain_type__sys``."""
        return f"{self}__sys"


class ConnectionType(StrEnum):
    """Types of connections, as stored in ``object_type__v``."""

    VAULT_TO_VAULT = object_type_id(OBJECT, "vault_to_vault__sys")
    EXTERNAL = object_type_id(OBJECT, "external__sys")
    LOCAL = object_type_id(OBJECT, "local__sys")
    # That of connections from before they had types.
    UNTYPED = object_type_id(OBJECT, BASE_TYPE)


DETAILS = (
    "remote_vault_name__sys",
    "remote_dns__sys",
    "remote_domain_type__sys",
    "remote_connection__sys",
)
"""Remote Vault Details: filled in when a connection is established."""

UNESTABLISHED: dict[str, object] = {
    "state__v": State.PENDING.value,
    **dict.fromkeys(DETAILS),
}
"""The changes that reset a connection, so that it can be established again."""

SESSION_FIELDS = frozenset({"state__v", "status__v", AUTHORIZED_USER})
"""The fields of a connection whose change ends the sessions of the remote Vault."""

# The sessions of connections.
END_SESSIONS = "DELETE FROM platform.session WHERE connection_id = ANY($1::text[])"
# The security profiles of users.
PROFILES = "SELECT user_id::text, security_profile FROM platform.credential WHERE user_id::text = ANY($1::text[])"
# What decides whether connections can be activated.
STORED = f"SELECT id, object_type__v, url__sys FROM records.{OBJECT} WHERE id = ANY($1::text[])"


class ConnectionTrigger:
    """Refuses invalid API names, remote Vault ids and addresses, and changes of established connections.

    A caller may set an Authorized Connection User only if that user has no more permissions than the caller.
    """

    columns: tuple[str, ...] = (
        "state__v",
        "api_name__sys",
        "remote_vault_id__sys",
        "system_managed__sys",
        "object_type__v",
    )

    def __init__(
        self,
        addresses: AllowedAddresses,
        profiles: SecurityProfiles,
    ) -> None:
        """Store the allowed ``addresses`` of External connections, and the security profiles."""
        self._addresses = addresses
        self._profiles = profiles

    async def before_create(
        self,
        connection: Connection,
        caller: Caller,
        rows: Sequence[NewRow],
    ) -> None:
        """Check new connections, which begin as Pending; mark those of the standard configuration as system-managed."""
        values = [row.values for row in rows]
        exceeding = await self._with_more_permissions(connection, caller, values)
        for row in rows:
            if row.values.get(AUTHORIZED_USER) in exceeding:
                row.fail(ErrorType.INSUFFICIENT_ACCESS, MIGHTIER)
            default = ConnectionType.VAULT_TO_VAULT.value
            chosen = row.values.setdefault("object_type__v", default)
            if chosen == ConnectionType.UNTYPED:
                row.fail(
                    ErrorType.INVALID_DATA,
                    "A connection is Vault to Vault, External or Local",
                )
            row.values |= UNESTABLISHED
            row.values["system_managed__sys"] = caller is SYSTEM
            refusal = self._refusal(row.values)
            if refusal is not None:
                row.errors.append(refusal)

    def before_update(
        self,
        caller: Caller,
        stored: Record,
        changes: dict[str, object],
    ) -> ApiError | None:
        """Return the error that refuses a change, or None; a changed Remote Vault ID resets the state to Pending."""
        untyped = stored["object_type__v"] == ConnectionType.UNTYPED
        if "object_type__v" in changes and not untyped:
            return ApiError(
                ErrorType.OPERATION_NOT_ALLOWED,
                "The type of a connection cannot be changed",
            )
        if stored["system_managed__sys"] and "api_name__sys" in changes:
            return ApiError(
                ErrorType.OPERATION_NOT_ALLOWED,
                "The API Name of a system-managed connection is fixed",
            )
        # A connection that the Vault brought before there were types gets the type that it would be created with.
        if caller is SYSTEM and untyped:
            changes["object_type__v"] = ConnectionType.VAULT_TO_VAULT.value
            changes["system_managed__sys"] = True
        refusal = self._refusal(changes)
        # Establishing sets both at once.
        other_vault = "remote_vault_id__sys" in changes and "state__v" not in changes
        if refusal is None and other_vault and stored["state__v"] != State.PENDING:
            changes.update(UNESTABLISHED)
        return refusal

    async def after_update(
        self,
        connection: Connection,
        caller: Caller,
        updated: Sequence[tuple[Record, Mapping[str, object]]],
    ) -> None:
        """End the sessions of connections whose state, status or user has changed.

        ``updated`` are pairs of a connection before the change, and its changes.

        :raises VaultFault: INSUFFICIENT_ACCESS when a change names a user with more permissions than the caller; no
            change of the call is stored then.
        """
        all_changes = [changes for _, changes in updated]
        if await self._with_more_permissions(connection, caller, all_changes):
            raise VaultFault(ErrorType.INSUFFICIENT_ACCESS, MIGHTIER)
        changed = [
            stored["id"]
            for stored, changes in updated
            if not SESSION_FIELDS.isdisjoint(changes)
        ]
        await connection.execute(END_SESSIONS, changed)

    async def _with_more_permissions(
        self,
        connection: Connection,
        caller: Caller,
        rows: Sequence[Mapping[str, object]],
    ) -> frozenset[object]:
        """Return those Authorized Connection Users of the rows who have more permissions than the caller."""
        named = [row.get(AUTHORIZED_USER) for row in rows]
        users = [str(user) for user in named if user]
        if not users:
            return frozenset()
        exceeding = set()
        for row in await connection.fetch(PROFILES, users):
            profile = self._profiles.in_full(row["security_profile"])
            if not holds_all_of(caller, profile):
                exceeding.add(row["user_id"])
        return frozenset(exceeding)

    def before_delete(
        self,
        caller: Caller,
        stored: Record,
    ) -> ApiError | None:
        """Return the error for a system-managed or Active connection, which cannot be deleted; None for any other."""
        del caller
        if stored["system_managed__sys"]:
            return ApiError(
                ErrorType.OPERATION_NOT_ALLOWED,
                "A system-managed connection cannot be deleted",
            )
        if stored["state__v"] == State.ACTIVE:
            return ApiError(
                ErrorType.OPERATION_NOT_ALLOWED,
                "An active connection cannot be deleted; inactivate it",
            )
        return None

    def _refusal(self, values: Mapping[str, object]) -> ApiError | None:
        """Return the error of an invalid API name, remote Vault id or address; None when all of them are valid."""
        name = values.get("api_name__sys")
        if name is not None and not API_NAME.fullmatch(str(name)):
            text = "[api_name__sys] takes lower-case letters, digits and underscores"
            return ApiError(ErrorType.INVALID_DATA, text)
        remote = values.get("remote_vault_id__sys")
        if remote is not None and not VAULT_ID.fullmatch(str(remote)):
            text = "[remote_vault_id__sys] is the number of a Vault"
            return ApiError(ErrorType.INVALID_DATA, text)
        url = values.get("url__sys")
        if url is not None and not self._addresses.allow(str(url)):
            text = "[url__sys] is not among the addresses that are allowed"
            return ApiError(ErrorType.OPERATION_NOT_ALLOWED, text)
        return None


def connection_type(stored: object) -> ConnectionType | None:
    """Return the type in ``object_type__v``; None for a type that an administrator created."""
    for each in ConnectionType:
        if each == stored:
            return each
    return None


def activation_refusal(
    type_: ConnectionType | None, url: str | None
) -> ApiError | None:
    """Return the error with which *Activate* refuses a connection of this type and URL; None when it does not."""
    match type_:
        case ConnectionType.VAULT_TO_VAULT:
            text = "A Vault to Vault connection is established by its connection file"
            return ApiError(ErrorType.OPERATION_NOT_ALLOWED, text)
        case ConnectionType.EXTERNAL:
            if url:
                return None
            text = "An External connection needs a URL"
            return ApiError(ErrorType.PARAMETER_REQUIRED, text)
        case ConnectionType.LOCAL | ConnectionType.UNTYPED | None:
            return None
        case _:
            assert_never(type_)


async def activate(context: ActionContext) -> Mapping[str, ApiError]:
    """Run *Activate*, for connections that need no agreement with a remote Vault; return errors by record id."""
    errors: dict[str, ApiError] = {}
    for row in await context.connection.fetch(STORED, list(context.ids)):
        type_ = connection_type(row["object_type__v"])
        refusal = activation_refusal(type_, row["url__sys"])
        if refusal is not None:
            errors[row["id"]] = refusal
    return errors or await _set(context, {"state__v": State.ACTIVE.value})


async def reject(context: ActionContext) -> Mapping[str, ApiError]:
    """Run *Reject*: remove the id of the Vault that uploaded the file; the connection can be established again."""
    changes = {**UNESTABLISHED, "remote_vault_id__sys": None}
    return await _set(context, changes)


async def release(context: ActionContext) -> Mapping[str, ApiError]:
    """Run *Establish Again*: reset connections to Pending; the Remote Vault ID stays."""
    return await _set(context, UNESTABLISHED)


async def _set(
    context: ActionContext, changes: Mapping[str, object]
) -> Mapping[str, ApiError]:
    """Make the same changes to all records of an action, and return the errors by record id."""
    rows = await context.records.change_in(
        context.connection, context.caller, context.object, context.ids, {}, changes
    )
    return {str(row.id): row.errors[0] for row in rows if row.errors}


def activation_refused(stored: Mapping[str, object]) -> bool:
    """Return whether *Activate* would be refused for a stored connection."""
    url = stored.get("url__sys")
    type_ = connection_type(stored.get("object_type__v"))
    return activation_refusal(type_, str(url) if url else None) is not None


REFUSED: Mapping[str, Callable[[Mapping[str, object]], bool]] = {
    "activate_connection": activation_refused
}
"""Functions that return whether an action would be refused for a record, so that pages do not offer it."""

ACTIONS = {
    "activate_connection": activate,
    "reject_connection": reject,
    "release_connection": release,
}
"""The actions by the names that the lifecycle uses."""
