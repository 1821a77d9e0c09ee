"""Makes the query target ``users``: the older view of users, with every field that their metadata calls queryable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from shared.vault import vql
from shared.vault.access.caller import SYSTEM_ADMIN
from shared.vault.components.platform import USER_DEFAULTS
from shared.vault.model.component_model import Field, FieldType, VaultObject

USER = "user__sys"
USERS = "users"

USER_FIELDS: Mapping[str, str] = {
    "user_name__v": "username__sys",
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
    "federated_id__v": "federated_id__sys",
    "user_timezone__v": "timezone__sys",
    "user_locale__v": "locale__sys",
    "user_language__v": "language__sys",
    "license_type__v": "license_type__sys",
    "security_profile__v": "security_profile__sys",
    "created_by__v": "created_by__v",
    "created_date__v": "created_date__v",
    "modified_by__v": "modified_by__v",
    "modified_date__v": "modified_date__v",
}
"""The fields of ``users``, each with the field of ``user__sys`` that it shows."""

# A user is in a group by membership, or by the security profile.
_GROUPS = """array(SELECT g.id FROM platform.user_group g
    WHERE g.active AND (c.security_profile = ANY(g.security_profiles) OR EXISTS (
        SELECT FROM platform.user_group_member m WHERE m.group_id = g.id AND m.user_id = c.user_id))
    ORDER BY g.id)"""
# The fields that are made of others: SQL, label, type. There is one domain and one security policy, and a user is a
# member of this Vault, whose id the user's global id begins with.
_MADE = {
    "active__v": ("u.status__v = 'active__v'", "Active", FieldType.BOOLEAN),
    "domain_active__v": (
        "u.status__v = 'active__v'",
        "Active in Domain",
        FieldType.BOOLEAN,
    ),
    "is_domain_admin__v": (
        f"c.security_profile = '{SYSTEM_ADMIN.name}'",
        "Domain Administrator",
        FieldType.BOOLEAN,
    ),
    "user_needs_to_change_password__v": (
        "c.password_change_required",
        "Must Change Password",
        FieldType.BOOLEAN,
    ),
    "security_policy_id__v": ("1::bigint", "Security Policy", FieldType.NUMBER),
    "domain_id__v": ("1::bigint", "Domain", FieldType.NUMBER),
    "last_login__v": ("c.last_login", "Last Login", FieldType.DATE_TIME),
}
_LISTS = {
    "vault_id__v": ("array[split_part(u.global_id__sys, '_', 1)::bigint]", "Vaults"),
    "group_id__v": (_GROUPS, "Groups"),
}


def user_target(user: VaultObject) -> vql.Target:
    """Return the query target ``users`` over the object of users."""
    fields = [user.fields["id"]]
    columns = ['u."id"']
    for name, (sql, label, kind) in _MADE.items():
        fields.append(Field(name, label, kind, editable=False))
        columns.append(f'{sql} AS "{name}"')
    for name, (sql, label) in _LISTS.items():
        listed = Field(name, label, FieldType.NUMBER, editable=False, multi_value=True)
        fields.append(listed)
        columns.append(f'{sql} AS "{name}"')
    for name, source in USER_FIELDS.items():
        shown = user.fields.get(source)
        # The user__sys that an administrator has made may lack some of these.
        if shown is not None:
            older = replace(
                shown, name=name, editable=False, required=False, unique=False
            )
            fields.append(older)
            columns.append(f'{_with_default(source)} AS "{name}"')
    selected = ", ".join(columns)
    rows = (
        f'(SELECT {selected} FROM records."{USER}" u'
        " LEFT JOIN platform.credential c ON c.user_id::text = u.id)"
    )
    by_name = {field.name: field for field in fields}
    queried = VaultObject(USERS, "User", "Users", "", fields=by_name)
    return vql.Target(queried, relation=rows)


def _with_default(column: str) -> str:
    """Return the SQL of a column of users, with the default for a user without a value."""
    default = USER_DEFAULTS.get(column)
    if default is None:
        return f'u."{column}"'
    return f"coalesce(u.\"{column}\", '{default}')"
