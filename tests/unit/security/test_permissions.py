"""Who may do what, as one table: a change of permissions shows here first."""

from __future__ import annotations

import pytest

from shared.vault.errors import ErrorType, VaultFault
from shared.vault.security.caller import Caller, SecurityProfile
from shared.vault.security.permissions import (
    Grant,
    Operation,
    authorize,
    granted,
    in_person,
    may,
    readable,
    require,
    require_own,
)

ADMIN, INTEGRATION, BUSINESS = SecurityProfile

GRANTS = {
    Grant.EXECUTE_MDL: {ADMIN},
    Grant.READ_CONFIGURATION: {ADMIN, INTEGRATION},
    Grant.READ_QUEUES: {ADMIN, INTEGRATION},
    Grant.MANAGE_QUEUES: {ADMIN},
    Grant.REPORT_DELIVERIES: {ADMIN, INTEGRATION},
    Grant.READ_QUEUE_LOG: {ADMIN},
    Grant.MANAGE_CONNECTIONS: {ADMIN},
    Grant.OPEN_CONNECTION_SESSIONS: {ADMIN, INTEGRATION},
    Grant.SIGN_MESSAGES: {ADMIN, INTEGRATION},
    Grant.MANAGE_JOBS: {ADMIN},
    Grant.USE_STAGING: {ADMIN, INTEGRATION},
    Grant.MANAGE_STAGING: {ADMIN},
    Grant.USE_LOADER: {ADMIN, INTEGRATION},
    Grant.MANAGE_PACKAGES: {ADMIN},
    Grant.RECORD_MIGRATION: {ADMIN},
    Grant.READ_AUDIT: {ADMIN},
    Grant.COPY_RECORDS: {ADMIN, INTEGRATION},
    Grant.REQUEST_RUNS: {ADMIN},
    Grant.MANAGE_INTEGRATIONS: {ADMIN},
    Grant.LOOK_UP_ACCOUNTS: {ADMIN, BUSINESS},
}

# object → profile → the first letters of the operations
RECORDS = {
    "account__v": {ADMIN: "rced", INTEGRATION: "rce", BUSINESS: "rce"},
    "custom__c": {ADMIN: "rced", INTEGRATION: "rce", BUSINESS: "rce"},
    "person__sys": {ADMIN: "rced", INTEGRATION: "rce", BUSINESS: "rce"},
    "exception_message__sys": {ADMIN: "rced", INTEGRATION: "rce", BUSINESS: ""},
    "exception_item__sys": {ADMIN: "rced", INTEGRATION: "rce", BUSINESS: ""},
    "connection__sys": {ADMIN: "rced", INTEGRATION: "r", BUSINESS: ""},
    "integration__sys": {ADMIN: "rced", INTEGRATION: "r", BUSINESS: ""},
    "integration_point__sys": {ADMIN: "rced", INTEGRATION: "r", BUSINESS: ""},
    "reference_lookup__sys": {ADMIN: "rced", INTEGRATION: "r", BUSINESS: ""},
    "user__sys": {ADMIN: "rced", INTEGRATION: "r", BUSINESS: ""},
    "users": {ADMIN: "rced", INTEGRATION: "r", BUSINESS: ""},
    "groups": {ADMIN: "rced", INTEGRATION: "r", BUSINESS: ""},
    "vault_component__v": {ADMIN: "rced", INTEGRATION: "r", BUSINESS: ""},
    "object_type__v": {ADMIN: "rced", INTEGRATION: "rce", BUSINESS: "rce"},
}


def caller(profile: SecurityProfile) -> Caller:
    return Caller(7, "someone", profile)


def test_the_table_of_grants_is_complete() -> None:
    assert set(GRANTS) == set(Grant)


@pytest.mark.parametrize("grant", Grant)
@pytest.mark.parametrize("profile", SecurityProfile)
def test_grants(profile: SecurityProfile, grant: Grant) -> None:
    assert granted(caller(profile), grant) == (profile in GRANTS[grant])


@pytest.mark.parametrize("object_name", RECORDS)
@pytest.mark.parametrize("profile", SecurityProfile)
def test_records(profile: SecurityProfile, object_name: str) -> None:
    allowed = "".join(o.value[0] for o in Operation if may(caller(profile), object_name, o))
    assert allowed == RECORDS[object_name][profile]
    assert readable(caller(profile))(object_name) == ("r" in allowed)


def test_refusals_are_insufficient_access() -> None:
    with pytest.raises(VaultFault) as refused:
        authorize(caller(BUSINESS), Grant.EXECUTE_MDL)
    assert refused.value.error.type is ErrorType.INSUFFICIENT_ACCESS
    with pytest.raises(VaultFault, match=r"\[delete\] on \[account__v\]") as refused:
        require(caller(INTEGRATION), "account__v", Operation.DELETE)
    assert refused.value.error.type is ErrorType.INSUFFICIENT_ACCESS


def test_what_is_allowed_passes() -> None:
    authorize(caller(ADMIN), Grant.EXECUTE_MDL)
    require(caller(BUSINESS), "account__v", Operation.EDIT)


def test_ones_own_is_open_to_everyone() -> None:
    require_own(caller(BUSINESS), 7, "api_access_token__sys", Operation.CREATE)
    require_own(caller(ADMIN), 8, "api_access_token__sys", Operation.CREATE)
    with pytest.raises(VaultFault, match="sufficient privileges"):
        require_own(caller(BUSINESS), 8, "api_access_token__sys", Operation.CREATE)


def test_a_delegate_is_not_the_user() -> None:
    in_person(caller(BUSINESS))
    with pytest.raises(VaultFault, match="delegated session"):
        in_person(Caller(7, "someone", ADMIN, "session", delegate_user_id=8))


def test_a_remote_vault_is_not_the_user() -> None:
    with pytest.raises(VaultFault, match="connection's session"):
        in_person(Caller(7, "someone", BUSINESS, "session", connection_id="V0B1"))


def test_who_may_only_read_writes_nothing() -> None:
    reader = Caller(7, "someone", INTEGRATION, "session", connection_id="V0B1", read_only=True)
    for object_name in RECORDS:
        assert [o for o in Operation if may(reader, object_name, o)] == [Operation.READ]
    assert {grant for grant in Grant if granted(reader, grant)} == {Grant.READ_CONFIGURATION, Grant.READ_QUEUES}
