"""Rows of the user calls: the column of each field, and its errors."""

from __future__ import annotations

import pytest

from shared.protocol.error_types import ErrorType
from shared.vault.security.user_fields import UserRow, complete, read_user

VAULT = 7


def types(row: UserRow) -> list[ErrorType]:
    return [error.type for error in row.errors]


@pytest.mark.parametrize(
    ("name", "value", "record"),
    [
        ("user_name__v", "a@vault.example", {"username__sys": "a@vault.example"}),
        ("user_first_name__v", "Ada", {"first_name__sys": "Ada"}),
        ("security_profile__v", "p__c", {"security_profile__sys": "p__c"}),
        ("id", 12, {"id": "12"}),
        ("active__v", "true", {"status__v": "active__v"}),
        ("domain_active__v", False, {"status__v": "inactive__v"}),
        ("active__v", "", {}),
        ("security_policy_id__v", 1, {}),
    ],
)
def test_a_field_is_a_column_of_the_users_record(
    name: str, value: object, record: dict[str, object]
) -> None:
    row = read_user({name: value}, VAULT)

    assert (row.record, row.errors) == (record, [])


def test_passwords_are_not_part_of_the_record() -> None:
    row = read_user(
        {"password__v": "secret-1", "user_needs_to_change_password__v": "true"}, VAULT
    )

    assert (row.password, row.change_required, row.record) == ("secret-1", True, {})


@pytest.mark.parametrize(
    ("text", "record"),
    [
        ("7", {}),
        ("7:true", {"status__v": "active__v"}),
        (
            "7:false:p__c:full__v",
            {
                "status__v": "inactive__v",
                "security_profile__sys": "p__c",
                "license_type__sys": "full__v",
            },
        ),
        ("7::p__c", {"security_profile__sys": "p__c"}),
    ],
)
def test_membership_says_active_profile_and_license(
    text: str, record: dict[str, object]
) -> None:
    row = read_user({"vault_membership": text}, VAULT)

    assert (row.record, row.errors) == (record, [])


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ({"vault_membership": "8:true"}, ErrorType.INVALID_DATA),
        ({"vault_membership": "7:true:p:l:x"}, ErrorType.INVALID_DATA),
        ({"active__v": "perhaps"}, ErrorType.INVALID_DATA),
        ({"security_policy_id__v": 2}, ErrorType.INVALID_DATA),
        ({"shoe_size__v": 44}, ErrorType.ATTRIBUTE_NOT_SUPPORTED),
    ],
)
def test_what_a_user_does_not_have_is_an_error(
    source: dict[str, object], error: ErrorType
) -> None:
    assert types(read_user(source, VAULT)) == [error]


def test_users_change_of_themselves_what_is_theirs() -> None:
    row = read_user({"user_title__v": "Dr", "user_name__v": "x"}, VAULT, own=True)

    assert row.record == {"title__sys": "Dr"}
    assert types(row) == [ErrorType.INSUFFICIENT_ACCESS]


def test_a_new_user_gets_defaults_and_a_name_and_no_id() -> None:
    row = read_user(
        {
            "id": 1,
            "user_name__v": "a@vault.example",
            "user_first_name__v": "Ada",
            "user_last_name__v": "Lovelace",
            "user_email__v": "ada@vault.example",
            "user_timezone__v": "Europe/Rome",
        },
        VAULT,
    )

    complete(row)

    assert row.errors == []
    assert row.record["name__v"] == "Ada Lovelace"
    assert row.record["timezone__sys"] == "Europe/Rome"
    assert row.record["locale__sys"] == "en_US"
    assert "id" not in row.record


def test_a_new_user_has_a_user_name_names_and_an_address() -> None:
    row = read_user({}, VAULT)

    complete(row)

    assert types(row) == [ErrorType.PARAMETER_REQUIRED] * 4
