"""Rules of connections that need no database: names, addresses, types, and names of copies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.error_types import ErrorType
from shared.vault.connections.connection_rules import (
    API_NAME,
    VAULT_ID,
    ConnectionType,
    DomainType,
    activation_refusal,
    connection_type,
)
from shared.vault.connections.duplication import MAX_NAME, free_name


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("medical_crm__v", True),
        ("a", True),
        ("a" * 40, True),
        ("a" * 41, False),
        ("", False),
        ("Medical", False),
        ("a-b", False),
        ("é", False),
    ],
)
def test_api_names(name: str, valid: bool) -> None:
    assert bool(API_NAME.fullmatch(name)) is valid


@pytest.mark.parametrize(
    ("number", "valid"),
    [("10101", True), ("1", True), ("0", False), ("01", False), ("-1", False)],
)
def test_remote_vault_ids(number: str, valid: bool) -> None:
    assert bool(VAULT_ID.fullmatch(number)) is valid


@pytest.mark.parametrize("each", ConnectionType)
def test_a_stored_type_is_read_again(each: ConnectionType) -> None:
    assert connection_type(each.value) is each


@pytest.mark.parametrize("stored", ["OOT000000000000", "", None, 1])
def test_a_type_that_administrators_have_made_is_none_of_them(stored: object) -> None:
    assert connection_type(stored) is None


URL = "https://shop.example"


@pytest.mark.parametrize(
    ("type_", "url", "expected"),
    [
        (ConnectionType.VAULT_TO_VAULT, URL, ErrorType.OPERATION_NOT_ALLOWED),
        (ConnectionType.VAULT_TO_VAULT, None, ErrorType.OPERATION_NOT_ALLOWED),
        (ConnectionType.EXTERNAL, URL, None),
        (ConnectionType.EXTERNAL, None, ErrorType.PARAMETER_REQUIRED),
        (ConnectionType.EXTERNAL, "", ErrorType.PARAMETER_REQUIRED),
        (ConnectionType.LOCAL, None, None),
        (ConnectionType.UNTYPED, None, None),
        (None, None, None),
    ],
)
def test_which_connections_are_activated_by_an_action(
    type_: ConnectionType | None, url: str | None, expected: ErrorType | None
) -> None:
    refusal = activation_refusal(type_, url)
    assert (None if refusal is None else refusal.type) is expected


@pytest.mark.parametrize(
    ("domain", "value"),
    [(DomainType.PRODUCTION, "production__sys"), (DomainType.SANDBOX, "sandbox__sys")],
)
def test_domain_types_as_picklist_values(domain: DomainType, value: str) -> None:
    assert domain.value_name == value


@pytest.mark.parametrize(
    ("name", "taken", "expected"),
    [
        ("account__v", set(), "account_2__c"),
        ("account__v", {"account_2__c"}, "account_3__c"),
        ("plain", set(), "plain_2__c"),
        ("a" * 40, set(), f"{'a' * 35}_2__c"),
    ],
)
def test_the_name_of_a_copy(name: str, taken: set[str], expected: str) -> None:
    assert free_name(name, taken) == expected
    assert expected in taken


@given(st.lists(st.from_regex(API_NAME, fullmatch=True), max_size=30))
def test_copies_have_names_of_their_own(names: list[str]) -> None:
    taken: set[str] = set()
    copies = [free_name(name, taken) for name in names]
    assert len(set(copies)) == len(names)
    assert all(len(copy) <= MAX_NAME and API_NAME.fullmatch(copy) for copy in copies)
