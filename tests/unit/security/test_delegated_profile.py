"""The part of the delegator's security profile that a delegate may use, as one table."""

from __future__ import annotations

import pytest

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import SUPPLIED, SYSTEM_ADMIN, Caller, SecurityProfile
from shared.vault.access.delegated_profile import delegated
from shared.vault.access.permissions import (
    Grant,
    Operation,
    authorize,
    connects,
    granted,
    holds_all_of,
    may,
    require_own,
)
from shared.vault.components.permission_types import ALL_OBJECTS, BUSINESS_OBJECTS
from shared.vault.errors import VaultFault

DELEGATE = Caller(
    7, "someone", delegated(SYSTEM_ADMIN), session_id="session", delegate_user_id=8
)
USABLE = {
    Grant.READ_CONFIGURATION,
    Grant.READ_QUEUES,
    Grant.READ_QUEUE_LOG,
    Grant.READ_AUDIT,
    Grant.USE_STAGING,
    Grant.USE_LOADER,
    Grant.LOOK_UP_ACCOUNTS,
}
# object → the first letters of the operations that a System Admin's delegate may do
RECORDS = {
    "account__v": "rced",
    "custom__c": "rced",
    "person__sys": "rced",
    "documents": "rced",
    "exception_message__sys": "rce",
    "exception_item__sys": "rce",
    BUSINESS_OBJECTS: "rced",
    ALL_OBJECTS: "r",
    "user__sys": "r",
    "users": "r",
    "groups": "r",
    "group__sys": "r",
    "delegated_access__sys": "r",
    "api_access_token__sys": "r",
    "connection__sys": "r",
    "integration__sys": "r",
    "integration_point__sys": "r",
    "reference_lookup__sys": "r",
    "vault_package__v": "r",
    "outbound_package__v": "r",
    "package_component__v": "r",
    "vault_component__v": "r",
    "of_a_later_release__sys": "r",
    "object_audit_trail": "r",
}


@pytest.mark.parametrize("grant", Grant)
def test_grants(grant: Grant) -> None:
    assert granted(DELEGATE, grant) == (grant in USABLE)


@pytest.mark.parametrize("object_name", RECORDS)
def test_records(object_name: str) -> None:
    allowed = "".join(o.value[0] for o in Operation if may(DELEGATE, object_name, o))
    assert allowed == RECORDS[object_name]


@pytest.mark.parametrize("profile", SUPPLIED.values(), ids=list(SUPPLIED))
def test_a_delegate_never_has_more_than_the_user(profile: SecurityProfile) -> None:
    usable = delegated(profile)
    assert usable.grants <= profile.grants
    for name in RECORDS:
        assert usable.operations(name) <= profile.operations(name)


def test_no_profile_is_given_by_a_delegate_who_may_not_use_all_of_it() -> None:
    assert not holds_all_of(DELEGATE, SYSTEM_ADMIN)


def test_a_delegate_counts_as_a_person() -> None:
    assert not connects(DELEGATE)


@pytest.mark.parametrize("operation", Operation)
def test_what_is_the_users_own_is_only_read(operation: Operation) -> None:
    if operation is Operation.READ:
        require_own(DELEGATE, 7, "api_access_token__sys", operation)
        return
    with pytest.raises(VaultFault, match="in a delegated session") as refused:
        require_own(DELEGATE, 7, "api_access_token__sys", operation)
    assert refused.value.error.type is ErrorType.INSUFFICIENT_ACCESS


def test_a_refusal_says_in_what_session() -> None:
    with pytest.raises(VaultFault, match=r"\[execute_mdl\] in a delegated session"):
        authorize(DELEGATE, Grant.EXECUTE_MDL)
