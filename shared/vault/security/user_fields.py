"""Maps the fields of a user in the user calls of the API to the columns that store them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import date_time_text
from shared.vault.access.caller import BUSINESS_USER, SYSTEM_ADMIN
from shared.vault.components.platform import USER_DEFAULTS
from shared.vault.errors import MAX_ERRORS, ApiError, RowErrors

if TYPE_CHECKING:
    from asyncpg import Record

NAME = "user_name__v"
PASSWORD = "password__v"  # noqa: S105  a name
CHANGE_PASSWORD = "user_needs_to_change_password__v"  # noqa: S105  a name
MEMBERSHIP = "vault_membership"
STATUS = "status__v"
PROFILE = "security_profile__sys"
LICENSE = "license_type__sys"

OWN = {
    "user_first_name__v": "first_name__sys",
    "user_last_name__v": "last_name__sys",
    "user_email__v": "email__sys",
    "alias__v": "alias__sys",
    "user_title__v": "title__sys",
    "company__v": "company__sys",
    "site__v": "site__sys",
    "office_phone__v": "office_phone__sys",
    "mobile_phone__v": "mobile_phone__sys",
    "fax__v": "fax__sys",
    "user_timezone__v": "timezone__sys",
    "user_locale__v": "locale__sys",
    "user_language__v": "language__sys",
}
"""What users may change of themselves; API name → field of ``user__sys``."""

TEXTS = {NAME: "username__sys", **OWN, "federated_id__v": "federated_id__sys"}
CHOICES = {"security_profile__v": PROFILE, "license_type__v": LICENSE}
COLUMNS = {**TEXTS, **CHOICES}
"""Fields that are columns of ``user__sys``; API name → field."""

API_NAMES = {column: name for name, column in COLUMNS.items()}
"""The fields of a user as callers know them, by what they are in the record."""

ACTIVE = ("active__v", "domain_active__v")
REQUIRED = (NAME, "user_first_name__v", "user_last_name__v", "user_email__v")
# A licence holds for all applications, and the Vault is in one domain.
WITHOUT_EFFECT = frozenset({"app_licensing", "domain"})
POLICY = "security_policy_id__v"
DEFAULTS = {**USER_DEFAULTS, PROFILE: BUSINESS_USER.name}
# The only one there is, like the domain.
SECURITY_POLICY = 1
DOMAIN = 1


@dataclass(slots=True)
class UserRow(RowErrors):
    """One user of a call: the fields of their record, and those of their sign-in."""

    record: dict[str, object] = field(default_factory=dict)
    password: str | None = None
    change_required: bool | None = None
    password_hash: str | None = None


def read_user(
    source: Mapping[str, object],
    vault_id: int,
    *,
    own: bool = False,
) -> UserRow:
    """Return a user of a call with the errors of its fields.

    With ``own``, the row is the caller's own user, of whom only some fields may be changed.
    """
    row = UserRow()
    for name, value in source.items():
        # The answer names no more.
        if len(row.errors) > MAX_ERRORS:
            break
        if own and name not in OWN:
            message = f"Users may not change [{name[:100]}] of themselves"
            row.fail(ErrorType.INSUFFICIENT_ACCESS, message)
        elif name in COLUMNS:
            row.record[COLUMNS[name]] = value
        else:
            _set_special(row, name, value, vault_id)
    return row


def as_sent(error: ApiError) -> ApiError:
    """Return an error of a user's record with the name of the field that the caller has sent."""
    message = error.message
    for column, name in API_NAMES.items():
        message = message.replace(f"[{column}]", f"[{name}]")
    return replace(error, message=message)


def _set_special(
    row: UserRow,
    name: str,
    value: object,
    vault_id: int,
) -> None:
    """Set a field that is not a column of the record; add an error for an unknown field."""
    if name == "id":
        row.record["id"] = None if value is None else str(value)
    elif name in ACTIVE:
        _set_active(row, name, value)
    elif name == MEMBERSHIP:
        _set_membership(row, value, vault_id)
    elif name == PASSWORD:
        # An empty column of a CSV file sets no password.
        row.password = str(value) if value else None
    elif name == CHANGE_PASSWORD:
        row.change_required = _truth(row, name, value)
    elif name == POLICY:
        _check_policy(row, value)
    elif name not in WITHOUT_EFFECT:
        message = f"A user has no field [{name[:100]}]"
        row.fail(ErrorType.ATTRIBUTE_NOT_SUPPORTED, message)


def _check_policy(row: UserRow, value: object) -> None:
    """Fail the row when it names another security policy than the one that holds for all users."""
    # Who names another one expects other rules of passwords than those that hold.
    if value not in (None, "") and str(value).strip() != str(SECURITY_POLICY):
        message = f"There is no security policy [{str(value)[:100]}]; [{SECURITY_POLICY}] holds for all users"
        row.fail(ErrorType.INVALID_DATA, message)


def complete(row: UserRow) -> None:
    """Add defaults to the row of a new user; fail the row when a required field is missing."""
    for name in REQUIRED:
        if not row.record.get(TEXTS[name]):
            message = f"Missing required parameter [{name}]"
            row.fail(ErrorType.PARAMETER_REQUIRED, message)
    for name, value in DEFAULTS.items():
        if not row.record.get(name):
            row.record[name] = value
    first, last = row.record.get("first_name__sys"), row.record.get("last_name__sys")
    row.record["name__v"] = f"{first} {last}"
    # The Vault assigns the ids of new users.
    row.record.pop("id", None)


def _set_active(
    row: UserRow,
    name: str,
    value: object,
) -> None:
    active = _truth(row, name, value)
    if active is not None:
        row.record[STATUS] = "active__v" if active else "inactive__v"


def _set_membership(
    row: UserRow,
    value: object,
    vault_id: int,
) -> None:
    """Set the fields in ``{vault id}:{active}:{security profile}:{license type}``; all but the id are optional."""
    if not value:
        return
    vault, *rest = str(value).split(":")
    # Users are members of this Vault and of no other.
    if vault.strip() != str(vault_id) or len(rest) > 3:
        row.fail(
            ErrorType.INVALID_DATA,
            f"[{MEMBERSHIP}] takes this Vault's id, active, profile and license type",
        )
        return
    for target, part in zip((STATUS, PROFILE, LICENSE), rest, strict=False):
        if target == STATUS:
            _set_active(row, MEMBERSHIP, part)
        elif part:
            row.record[target] = part


def _truth(
    row: UserRow,
    name: str,
    value: object,
) -> bool | None:
    """Return a Boolean value, None for an empty one; fail the row for any other value."""
    if value is None or value == "":
        return None
    text = str(value).strip()
    match text.lower():
        case "true":
            return True
        case "false":
            return False
        case _:
            row.fail(ErrorType.INVALID_DATA, f"[{name}] takes true or false")
            return None


def user_json(
    user: Record,
    vault_id: int,
    *,
    membership: bool = False,
    licensing: bool = False,
) -> dict[str, object]:
    """Return the member ``user`` of ``GET /objects/users/{id}``."""
    shown: dict[str, object] = {"id": user["user_id"]}
    for name, column in COLUMNS.items():
        # The user__sys that an administrator has made may lack some of these columns.
        shown[name] = user.get(column) or DEFAULTS.get(column)
    shown |= {
        NAME: user["username"],
        "security_profile__v": user["security_profile"],
        "active__v": user["active"],
        "domain_active__v": user["active"],
        "is_domain_admin__v": user["security_profile"] == SYSTEM_ADMIN.name,
        "user_needs_to_change_password__v": user["password_change_required"],
        "domain_id__v": DOMAIN,
        "vault_id__v": [vault_id],
        POLICY: SECURITY_POLICY,
        "group_id__v": user["group_ids"],
        "created_date__v": date_time_text(user["created_date__v"]),
        "created_by__v": user["created_by__v"],
        "modified_date__v": date_time_text(user["modified_date__v"]),
        "modified_by__v": user["modified_by__v"],
        "last_login__v": date_time_text(user["last_login"]),
    }
    if membership:
        shown[MEMBERSHIP] = [
            {
                "id": vault_id,
                "active__v": user["active"],
                "security_profile__v": user["security_profile"],
                "license_type__v": shown["license_type__v"],
            }
        ]
    if licensing:
        shown["app_licensing"] = []
    return shown
