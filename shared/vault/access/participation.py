"""Decides what callers may do with workflows and tasks about records, by what they may do with the records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import (
    REFUSAL,
    Grant,
    Operation,
    authorize_own,
    in_what_session,
    require,
)
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller


def require_participation(caller: Caller, object_name: str) -> None:
    """Check that the caller may work on the tasks that they have about records of an object.

    A task is given to its user by the workflow; to see the records is all that it takes beside that.

    :raises VaultFault: INSUFFICIENT_ACCESS when not.
    """
    require(caller, object_name, Operation.READ)
    # A remote Vault is nobody's colleague, and a session that writes nothing completes nothing.
    if caller.read_only or caller.connection_id is not None:
        message = f"{REFUSAL} [workflow]{in_what_session(caller)}"
        raise VaultFault(ErrorType.INSUFFICIENT_ACCESS, message)


def require_workflow(caller: Caller, owner: int, object_name: str) -> None:
    """Check that a workflow about records of an object is the caller's own, or that they manage those of others.

    :raises VaultFault: INSUFFICIENT_ACCESS when neither.
    """
    require_participation(caller, object_name)
    authorize_own(caller, owner, Grant.MANAGE_WORKFLOWS)
