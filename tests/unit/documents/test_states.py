"""States of documents: their offered actions, and when a version becomes steady."""

from __future__ import annotations

import pytest

from shared.protocol.error_types import ErrorType
from shared.vault.components.document_model import STEADY, SUPERSEDED
from shared.vault.documents.document_states import (
    becomes_steady,
    offered,
    states_of_type,
)
from shared.vault.errors import VaultFault
from shared.vault.model.component_model import Lifecycle, LifecycleState, UserAction

APPROVE = UserAction("approve__c", "Approve", "change_state", next_state="approved__c")
DRAFT = LifecycleState("draft__c", "Draft", user_actions=(APPROVE,))
APPROVED = LifecycleState("approved__c", "Approved", state_type=STEADY)
VALID = LifecycleState("valid__c", "Valid", state_type=STEADY)
OLD = LifecycleState("old__c", "Old", state_type=SUPERSEDED)
STATES = {state.name: state for state in (DRAFT, APPROVED, VALID, OLD)}
LIFECYCLE = Lifecycle("letters__c", "Letters", "draft__c", states=STATES)


def test_a_state_offers_its_actions() -> None:
    assert offered(DRAFT, "approve__c") == APPROVE


def test_an_action_of_another_state_is_refused() -> None:
    with pytest.raises(VaultFault, match="approve__c") as raised:
        offered(APPROVED, "approve__c")
    assert raised.value.error.type is ErrorType.INSUFFICIENT_ACCESS


@pytest.mark.parametrize(
    ("before", "following", "expected"),
    [
        (DRAFT, APPROVED, True),
        (OLD, VALID, True),
        (APPROVED, VALID, False),
        (DRAFT, OLD, False),
        (APPROVED, DRAFT, False),
    ],
)
def test_a_version_becomes_steady_once(
    before: LifecycleState, following: LifecycleState, expected: bool
) -> None:
    assert becomes_steady(before, following) is expected


@pytest.mark.parametrize(
    ("state_type", "names"),
    [(STEADY, ["approved__c", "valid__c"]), (SUPERSEDED, ["old__c"]), ("none", [])],
)
def test_states_by_their_type(state_type: str, names: list[str]) -> None:
    assert states_of_type(LIFECYCLE, state_type) == names
