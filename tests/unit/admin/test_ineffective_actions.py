"""Actions that would change nothing of a record, by its values as the API shows them."""

from __future__ import annotations

import pytest

from services.crm_vault.definition import CRM_VAULT
from services.medical_vault.definition import MEDICAL_VAULT
from shared.vault.assembly.ineffective_actions import INEFFECTIVE_ACTIONS
from shared.vault.connections.connection_rules import ConnectionType

INEFFECTIVE = {
    **INEFFECTIVE_ACTIONS,
    **CRM_VAULT.ineffective_actions,
    **MEDICAL_VAULT.ineffective_actions,
}
ME = 7
STATUS, ERROR = "transfer_status__v", "error_status__sys"
TYPE, LINK = "object_type__v", "response_package_link__v"
EXTERNAL, BY_FILE = ConnectionType.EXTERNAL, ConnectionType.VAULT_TO_VAULT


@pytest.mark.parametrize(
    ("action", "values", "ineffective"),
    [
        ("transfer_to_medical", {STATUS: None}, False),
        ("transfer_to_medical", {STATUS: ["failed__v"]}, False),
        ("transfer_to_medical", {STATUS: ["pending__v"]}, True),
        ("transfer_to_medical", {STATUS: ["success__v"]}, True),
        ("assign_to_me", {"assigned_to__v": None}, False),
        ("assign_to_me", {"assigned_to__v": "8"}, False),
        ("assign_to_me", {"assigned_to__v": "7"}, True),
        ("retry_transfer", {ERROR: ["open__sys"]}, False),
        ("retry_transfer", {ERROR: ["retrying__sys"]}, False),
        ("retry_transfer", {ERROR: ["resolved__sys"]}, True),
        ("retry_transfer", {ERROR: ["ignored__sys"]}, True),
        ("ignore", {ERROR: ["warning__sys"]}, False),
        ("ignore", {ERROR: ["ignored__sys"]}, True),
        ("make_response_package", {LINK: None}, False),
        ("make_response_package", {LINK: "https://vault.example/ui/answers/a"}, True),
        ("revoke_response_package", {LINK: None}, True),
        (
            "revoke_response_package",
            {LINK: "https://vault.example/ui/answers/a"},
            False,
        ),
        ("activate_connection", {TYPE: BY_FILE, "url__sys": None}, True),
        ("activate_connection", {TYPE: EXTERNAL, "url__sys": None}, True),
        (
            "activate_connection",
            {TYPE: EXTERNAL, "url__sys": "https://a.example"},
            False,
        ),
    ],
)
def test_what_is_done_is_not_offered_again(
    action: str, values: dict[str, object], ineffective: bool
) -> None:
    assert INEFFECTIVE[action](values, ME) is ineffective


def test_every_action_of_these_rules_exists() -> None:
    """A rule for an action that was renamed would hide nothing, unseen."""
    own = {**CRM_VAULT.actions, **MEDICAL_VAULT.actions}
    assert own.keys() >= {
        *CRM_VAULT.ineffective_actions,
        *MEDICAL_VAULT.ineffective_actions,
    }
