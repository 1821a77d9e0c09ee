"""What a connection's record may hold, and what its lifecycle's own actions do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import SYSTEM
from shared.vault.access.permissions import holds_all_of
from shared.vault.components.platform import BASE_TYPE
from shared.vault.components.registry import object_type_id
from shared.vault.errors import ApiError, VaultFault

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.records.named_actions import ActionContext
    from shared.vault.records.rows import NewRow
    from shared.vault.security.security_profiles import SecurityProfiles
    from shared.vault.storage.database import Connection

OBJECT = "connection__sys"


class State(StrEnum):
    """States of ``connection_lifecycle__sys``."""

    PENDING = "pending_state__sys"
    PENDING_APPROVAL = "pending_approval_state__sys"
    ACTIVE = "active_state__sys"
    INACTIVE = "inactive_state__sys"


class DomainType(StrEnum):
    """What a Vault is for; a sandbox Vault never writes into a production Vault."""

    PRODUCTION = "production"
    SANDBOX = "sandbox"

    @property
    def value_name(self) -> str:
        """The value of picklist ``domain_type__sys``."""
        return f"{self}__sys"


VAULT_TO_VAULT, EXTERNAL, UNTYPED = (
    object_type_id(OBJECT, name)
    for name in ("vault_to_vault__sys", "external__sys", BASE_TYPE)
)
"""Object types, as ``object_type__v`` holds them; the last is that of connections from before they had types."""


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
"""The changes that take a connection back to where it can be established."""


API_NAME = re.compile(r"[a-z0-9_]{1,40}")
VAULT_ID = re.compile(r"[1-9][0-9]{0,18}")
END_SESSIONS = "DELETE FROM platform.session WHERE connection_id = ANY($1::text[])"
AUTHORIZED_USER = "authorized_connection_user__sys"
SESSION_FIELDS = frozenset({"state__v", "status__v", AUTHORIZED_USER})
"""What a remote Vault's sessions were opened by: they end when one of these changes."""
PROFILES = "SELECT user_id::text, security_profile FROM platform.credential WHERE user_id::text = ANY($1::text[])"
MIGHTIER = "The Authorized Connection User may do more than the caller, who cannot let a remote Vault act as them"
STORED = f"SELECT id, object_type__v, url__sys FROM records.{OBJECT} WHERE id = ANY($1::text[])"


class ConnectionTrigger:
    """API names, remote Vault ids and addresses are well-formed; what is established changes by establishing only.

    A remote Vault is let in as a user by one who may do whatever that user may.
    """

    columns = (
        "state__v",
        "api_name__sys",
        "remote_vault_id__sys",
        "system_managed__sys",
        "object_type__v",
    )

    def __init__(self, allowed_urls: Sequence[str], profiles: SecurityProfiles) -> None:
        """``allowed_urls`` are the beginnings that addresses of External connections may have."""
        self._allowed = tuple(allowed_urls)
        self._profiles = profiles

    async def before_create(
        self, connection: Connection, caller: Caller, rows: Sequence[NewRow]
    ) -> None:
        """Check new connections, which are Pending; those that the Vault brings itself are system-managed."""
        mightier = await self._mightier(
            connection, caller, [row.values for row in rows]
        )
        for row in rows:
            if row.values.get(AUTHORIZED_USER) in mightier:
                row.fail(ErrorType.INSUFFICIENT_ACCESS, MIGHTIER)
            if row.values.setdefault("object_type__v", VAULT_TO_VAULT) == UNTYPED:
                row.fail(
                    ErrorType.INVALID_DATA,
                    "A connection is Vault to Vault, External or Local",
                )
            row.values |= {**UNESTABLISHED, "system_managed__sys": caller is SYSTEM}
            if refusal := self._check(row.values):
                row.errors.append(refusal)

    def before_update(
        self, caller: Caller, stored: Record, changes: dict[str, object]
    ) -> ApiError | None:
        """Check what changes; another Remote Vault ID takes an established connection back to Pending."""
        if "object_type__v" in changes and stored["object_type__v"] != UNTYPED:
            return ApiError(
                ErrorType.OPERATION_NOT_ALLOWED,
                "The type of a connection cannot be changed",
            )
        if stored["system_managed__sys"] and "api_name__sys" in changes:
            return ApiError(
                ErrorType.OPERATION_NOT_ALLOWED,
                "The API Name of a system-managed connection is fixed",
            )
        if caller is SYSTEM and stored["object_type__v"] == UNTYPED:
            changes |= {"object_type__v": VAULT_TO_VAULT, "system_managed__sys": True}
        refusal = self._check(changes)
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
        """End the sessions of remote Vaults whose connection is another one now.

        :raises VaultFault: INSUFFICIENT_ACCESS, of the whole call, where a user is named who may do more than the
            caller.
        """
        if await self._mightier(
            connection, caller, [changes for _, changes in updated]
        ):
            raise VaultFault(ErrorType.INSUFFICIENT_ACCESS, MIGHTIER)
        changed = [
            stored["id"]
            for stored, changes in updated
            if not SESSION_FIELDS.isdisjoint(changes)
        ]
        await connection.execute(END_SESSIONS, changed)

    async def _mightier(
        self,
        connection: Connection,
        caller: Caller,
        named: Sequence[Mapping[str, object]],
    ) -> frozenset[object]:
        """Those Authorized Connection Users among the values who may do more than the caller."""
        users = [
            str(values[AUTHORIZED_USER])
            for values in named
            if values.get(AUTHORIZED_USER)
        ]
        return frozenset(
            row["user_id"]
            for row in (await connection.fetch(PROFILES, users) if users else ())
            if not holds_all_of(caller, self._profiles.in_full(row["security_profile"]))
        )

    def before_delete(self, caller: Caller, stored: Record) -> ApiError | None:
        """Refuse to delete what the Vault brings, and what is active."""
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

    def _check(self, values: Mapping[str, object]) -> ApiError | None:
        name, remote, url = (
            values.get(field)
            for field in ("api_name__sys", "remote_vault_id__sys", "url__sys")
        )
        if name is not None and not API_NAME.fullmatch(str(name)):
            text = "[api_name__sys] takes lower-case letters, digits and underscores"
            return ApiError(ErrorType.INVALID_DATA, text)
        if remote is not None and not VAULT_ID.fullmatch(str(remote)):
            return ApiError(
                ErrorType.INVALID_DATA,
                "[remote_vault_id__sys] is the number of a Vault",
            )
        if url is not None and not self._allows(str(url)):
            return ApiError(
                ErrorType.OPERATION_NOT_ALLOWED,
                "[url__sys] is not among the addresses that are allowed",
            )
        return None

    def _allows(self, url: str) -> bool:
        """Whether an address is an allowed one, or below it."""
        return any(
            url == allowed or url.startswith(f"{allowed.rstrip('/')}/")
            for allowed in self._allowed
        )


async def activate(context: ActionContext) -> Mapping[str, ApiError]:
    """*Activate*: an External or Local connection has no other side that would have to agree."""
    errors: dict[str, ApiError] = {}
    for row in await context.connection.fetch(STORED, list(context.ids)):
        if row["object_type__v"] == VAULT_TO_VAULT:
            text = "A Vault to Vault connection is established by its connection file"
            errors[row["id"]] = ApiError(ErrorType.OPERATION_NOT_ALLOWED, text)
        elif row["object_type__v"] == EXTERNAL and not row["url__sys"]:
            errors[row["id"]] = ApiError(
                ErrorType.PARAMETER_REQUIRED, "An External connection needs a URL"
            )
    return errors or await _set(context, {"state__v": State.ACTIVE.value})


async def reject(context: ActionContext) -> Mapping[str, ApiError]:
    """*Reject*: forget the Vault that has uploaded the file; the connection may be established anew."""
    return await _set(context, {**UNESTABLISHED, "remote_vault_id__sys": None})


async def release(context: ActionContext) -> Mapping[str, ApiError]:
    """*Establish Again*: back to Pending; the Remote Vault ID stays."""
    return await _set(context, UNESTABLISHED)


async def _set(
    context: ActionContext, changes: Mapping[str, object]
) -> Mapping[str, ApiError]:
    rows = await context.records.change_in(
        context.connection, context.caller, context.object, context.ids, {}, changes
    )
    return {str(row.id): row.errors[0] for row in rows if row.errors}


ACTIONS = {
    "activate_connection": activate,
    "reject_connection": reject,
    "release_connection": release,
}
"""By the names that the lifecycle uses."""
