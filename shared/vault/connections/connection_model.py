"""The names of connections: their object, object types and lifecycle states."""

from __future__ import annotations

from enum import StrEnum

from shared.vault.components.platform import BASE_TYPE
from shared.vault.components.registry import object_type_id

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
