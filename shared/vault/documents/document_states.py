"""Moves versions of documents between the states of their lifecycle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.audit import audit_entries as entries
from shared.vault.components.document_model import DOCUMENT_ID, STEADY, SUPERSEDED
from shared.vault.documents import document_store as store
from shared.vault.documents import relationship_store as relationships
from shared.vault.documents.versions import LIFECYCLE, AuditLine, Number, version_id
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.model.component_model import (
        DocumentModel,
        Lifecycle,
        LifecycleState,
        UserAction,
    )
    from shared.vault.storage.database import Connection


def state_of(model: DocumentModel, version: Record) -> tuple[Lifecycle, LifecycleState]:
    """Return the lifecycle of a stored version, and the state that it is in."""
    lifecycle = model.lifecycles[version[LIFECYCLE]]
    return lifecycle, lifecycle.states[version["status__v"]]


def offered(state: LifecycleState, action_name: str) -> UserAction:
    """Return the user action with this name in a state.

    :raises VaultFault: INSUFFICIENT_ACCESS when the state has no such action.
    """
    for action in state.user_actions:
        if action.name == action_name:
            return action
    message = (
        f"The document offers no lifecycle action [{action_name[:100]}] in its state"
    )
    raise VaultFault(ErrorType.INSUFFICIENT_ACCESS, message)


def becomes_steady(before: LifecycleState, following: LifecycleState) -> bool:
    """Return whether a version that changes between these states becomes steady."""
    return following.state_type == STEADY and before.state_type != STEADY


def states_of_type(lifecycle: Lifecycle, state_type: str) -> list[str]:
    """Return the names of a lifecycle's states with this type."""
    states = lifecycle.states.values()
    return [state.name for state in states if state.state_type == state_type]


async def make_steady(
    connection: Connection,
    caller: Caller,
    vault_id: int,
    lifecycle: Lifecycle,
    before: Record,
    steady: LifecycleState,
) -> None:
    """Number a version that has become steady, and supersede the earlier steady versions.

    ``before`` is the version before the change, ``steady`` the state that it has entered.
    """
    document_id, number = before[DOCUMENT_ID], Number.of(before)
    version = before["id"]
    lines: list[AuditLine] = []
    renumbered = number
    # A version that has a whole number already keeps it.
    if number.minor:
        renumbered = await _renumber(connection, vault_id, before)
        version = version_id(document_id, renumbered)
        lines.append(("version", str(number), str(renumbered)))
    superseded = states_of_type(lifecycle, SUPERSEDED)
    if superseded:
        states = states_of_type(lifecycle, STEADY)
        arguments = (document_id, lifecycle.name, superseded[0], states, version)
        changed = await connection.fetch(store.IN_STATE, *arguments)
        lines += [("status__v", steady.name, superseded[0]) for _ in changed]
    # The version as it is numbered now, of which the line about the version is.
    current = str(renumbered)
    await entries.write_document_change(
        connection, caller, entries.EDIT, document_id, lines, current
    )


async def _renumber(
    connection: Connection,
    vault_id: int,
    draft: Record,
) -> Number:
    """Make a draft the next major version of its document, and return that number."""
    document_id = draft[DOCUMENT_ID]
    latest = await store.latest_major(connection, document_id)
    number = Number(latest, 0).steady_after()
    version = version_id(document_id, number)
    named = (version, f"{vault_id}_{version}", number.major, number.minor)
    await connection.execute(store.RENUMBER, draft["id"], *named)
    await connection.execute(store.RENUMBER_FILES, draft["id"], version)
    await connection.execute(store.RENUMBER_TOKENS, draft["id"], version)
    await relationships.renumber(connection, draft["id"], version)
    # An older draft that becomes steady gets the highest number, and is the latest from now on.
    await connection.execute(store.NOT_LATEST, document_id)
    await connection.execute(store.MAKE_LATEST, document_id)
    return number
