"""Changes and deletions of connections' records: refusals, and consequences of a change."""

from __future__ import annotations

from typing import Any, cast

import pytest
from asyncpg import Record

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import SYSTEM, Caller
from shared.vault.connections.allowed_addresses import AllowedAddresses
from shared.vault.connections.connection_rules import (
    UNESTABLISHED,
    ConnectionTrigger,
    ConnectionType,
    State,
)
from shared.vault.security.sessions import SecurityProfiles

ADA = cast("Caller", object())
PROFILES = cast("SecurityProfiles", object())
TRIGGER = ConnectionTrigger(
    AllowedAddresses.listed(["https://shop.example", "https://api.example/v1/"]),
    PROFILES,
)


def stored(**values: object) -> Record:
    row: dict[str, object] = {
        "state__v": State.ACTIVE.value,
        "api_name__sys": "medical_crm__v",
        "remote_vault_id__sys": "10101",
        "system_managed__sys": False,
        "object_type__v": ConnectionType.VAULT_TO_VAULT.value,
    }
    return cast("Record", row | values)


def refused(changes: dict[str, object], **values: object) -> ErrorType | None:
    error = TRIGGER.before_update(ADA, stored(**values), changes)
    return None if error is None else error.type


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name__v": "Other"}, None),
        ({"api_name__sys": "other__c"}, None),
        ({"api_name__sys": "Other"}, ErrorType.INVALID_DATA),
        ({"remote_vault_id__sys": "20202"}, None),
        ({"remote_vault_id__sys": "vault"}, ErrorType.INVALID_DATA),
        ({"remote_vault_id__sys": None}, None),
        ({"object_type__v": "other"}, ErrorType.OPERATION_NOT_ALLOWED),
    ],
)
def test_changes(changes: dict[str, object], expected: ErrorType | None) -> None:
    assert refused(changes) is expected


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://shop.example", True),
        ("https://shop.example/orders", True),
        ("https://shop.example.evil", False),
        ("https://shop.example:8443", False),
        ("http://shop.example", False),
        ("https://api.example/v1/messages", True),
        ("https://api.example/v2", False),
        ("", False),
    ],
)
def test_addresses_are_those_that_are_allowed(url: str, allowed: bool) -> None:
    expected = None if allowed else ErrorType.OPERATION_NOT_ALLOWED
    assert refused({"url__sys": url}) is expected


def test_another_vault_takes_a_connection_back_to_pending() -> None:
    changes: dict[str, object] = {"remote_vault_id__sys": "20202"}
    assert refused(changes) is None
    assert changes == {"remote_vault_id__sys": "20202", **UNESTABLISHED}


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"remote_vault_id__sys": "20202"}, State.PENDING),
        (
            {"remote_vault_id__sys": "20202", "state__v": "active_state__sys"},
            State.ACTIVE,
        ),
        ({"name__v": "Other"}, State.ACTIVE),
    ],
)
def test_other_changes_leave_the_state(
    changes: dict[str, object], state: State
) -> None:
    before = dict(changes)
    assert refused(changes, state__v=state.value) is None
    assert changes == before


def test_the_api_name_of_a_system_managed_connection_is_fixed() -> None:
    error = refused({"api_name__sys": "other__c"}, system_managed__sys=True)
    assert error is ErrorType.OPERATION_NOT_ALLOWED


def test_the_vault_types_its_connections_from_before_there_were_types() -> None:
    changes: dict[str, Any] = {"name__v": "Other"}
    row = stored(object_type__v=ConnectionType.UNTYPED.value)
    assert TRIGGER.before_update(SYSTEM, row, changes) is None
    assert changes["object_type__v"] == ConnectionType.VAULT_TO_VAULT
    assert changes["system_managed__sys"] is True


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"state__v": State.ACTIVE.value}, ErrorType.OPERATION_NOT_ALLOWED),
        ({"state__v": State.PENDING.value}, None),
        ({"state__v": State.INACTIVE.value}, None),
        (
            {"state__v": State.INACTIVE.value, "system_managed__sys": True},
            ErrorType.OPERATION_NOT_ALLOWED,
        ),
    ],
)
def test_deletions(values: dict[str, object], expected: ErrorType | None) -> None:
    error = TRIGGER.before_delete(ADA, stored(**values))
    assert (None if error is None else error.type) is expected
