"""Decides what callers may do with workflows and tasks about records, by their rights to the records."""

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
    """Check that the caller may work on their tasks about records of an object.

    The workflow assigns a task to its user, who needs no right besides that of reading the records.

    :raises VaultFault: INSUFFICIENT_ACCESS when not.
    """
    require(caller, object_name, Operation.READ)
    # Neither a remote Vault nor a read-only session works on tasks.
    if caller.read_only or caller.connection_id is not None:
        message = f"{REFUSAL} [workflow]{in_what_session(caller)}"
        raise VaultFault(ErrorType.INSUFFICIENT_ACCESS, message)


def require_workflow(caller: Caller, owner: int, object_name: str) -> None:
    """Check that the caller started a workflow about records of an object, or may manage those of other users.

    :raises VaultFault: INSUFFICIENT_ACCESS when neither.
    """
    require_participation(caller, object_name)
    authorize_own(caller, owner, Grant.MANAGE_WORKFLOWS)
