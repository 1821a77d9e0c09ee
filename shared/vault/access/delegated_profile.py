"""Decides which parts of the delegator's security profile a delegated session may use.

A delegate works and reads as the delegator does, but changes neither permissions nor the Vault's configuration: such a
change would outlast the delegation.
"""

from __future__ import annotations

from typing import assert_never

from shared.vault.access.caller import READ, WRITE, SecurityProfile
from shared.vault.components.permission_types import Grant, Operation
from shared.vault.components.registry import is_business

# Platform objects that hold the work of business users. They are worked on and not deleted: what failed must be seen
# by the delegator as well.
_WORKED_ON = frozenset({"exception_message__sys", "exception_item__sys"})


class DelegatedProfile(SecurityProfile):
    """The part of a security profile that a delegate may use; everything else is refused."""

    __slots__ = ()

    def __post_init__(self) -> None:
        """Gather the grants of all sets, without those that no delegate may use."""
        super().__post_init__()
        usable = frozenset(filter(_is_for_delegates, self.grants))
        object.__setattr__(self, "grants", usable)

    def operations(self, object_name: str) -> frozenset[Operation]:
        """Return the operations that a delegate may use on an object, as far as any of the sets allows them.

        On business data these are all operations, on User Exceptions all but deleting, on other objects only reading.
        """
        operations = super().operations(object_name)
        if is_business(object_name):
            return operations
        usable = WRITE if object_name in _WORKED_ON else READ
        return operations & usable


def delegated(profile: SecurityProfile) -> DelegatedProfile:
    """Return the part of a user's security profile that their delegate may use."""
    return DelegatedProfile(profile.name, profile.sets)


def _is_for_delegates(grant: Grant) -> bool:
    """Return whether a delegate may use a grant of the delegator."""
    match grant:
        case (
            Grant.READ_CONFIGURATION
            | Grant.READ_QUEUES
            | Grant.READ_QUEUE_LOG
            | Grant.READ_AUDIT
            | Grant.USE_STAGING
            | Grant.USE_LOADER
            | Grant.LOOK_UP_ACCOUNTS
        ):
            return True
        # Configuration, the administration of what is others', and what programs need who transfer records.
        case (
            Grant.EXECUTE_MDL
            | Grant.MANAGE_QUEUES
            | Grant.MANAGE_CONNECTIONS
            | Grant.MANAGE_INTEGRATIONS
            | Grant.MANAGE_PACKAGES
            | Grant.MANAGE_JOBS
            | Grant.MANAGE_STAGING
            | Grant.OPEN_CONNECTION_SESSIONS
            | Grant.SIGN_MESSAGES
            | Grant.REPORT_DELIVERIES
            | Grant.COPY_RECORDS
            | Grant.RECORD_MIGRATION
            | Grant.DOCUMENT_MIGRATION
            | Grant.REQUEST_RUNS
            | Grant.REHEARSE_FAULTS
            | Grant.MANAGE_WORKFLOWS
            | Grant.READ_DIRECT_DATA
            | Grant.SHARE_VIEWS
        ):
            return False
        case _:
            assert_never(grant)
