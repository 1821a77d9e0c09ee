"""Rights by role, as one table: a change of permissions shows here first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import (
    ALL,
    BUSINESS_USER,
    INTEGRATION_USER,
    READ,
    SUPPLIED,
    SYSTEM_ADMIN,
    WRITE,
    Caller,
    PermissionSet,
    SecurityProfile,
)
from shared.vault.access.delegated_profile import delegated
from shared.vault.access.permissions import (
    Grant,
    Operation,
    allowed,
    authorize,
    authorize_components,
    connects,
    granted,
    holds_all_of,
    in_person,
    may,
    may_set,
    readable,
    require,
    require_all_of,
    require_own,
)
from shared.vault.errors import VaultFault
from shared.vault.model.component_model import Field, FieldType

ADMIN, INTEGRATION, BUSINESS = SYSTEM_ADMIN, INTEGRATION_USER, BUSINESS_USER
PROFILES = pytest.mark.parametrize("profile", SUPPLIED.values(), ids=list(SUPPLIED))

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
    Grant.DOCUMENT_MIGRATION: {ADMIN},
    Grant.READ_AUDIT: {ADMIN},
    Grant.COPY_RECORDS: {ADMIN, INTEGRATION},
    Grant.REQUEST_RUNS: {ADMIN},
    Grant.MANAGE_INTEGRATIONS: {ADMIN},
    Grant.LOOK_UP_ACCOUNTS: {ADMIN, BUSINESS},
    Grant.REHEARSE_FAULTS: {ADMIN},
    Grant.MANAGE_WORKFLOWS: {ADMIN},
    Grant.READ_DIRECT_DATA: {ADMIN},
    Grant.SHARE_VIEWS: {ADMIN},
}

# object → profile → the first letters of the operations
RECORDS = {
    "account__v": {ADMIN: "rced", INTEGRATION: "rce", BUSINESS: "rce"},
    "country__v": {ADMIN: "rced", INTEGRATION: "rce", BUSINESS: "r"},
    "connection_country__v": {ADMIN: "rced", INTEGRATION: "rce", BUSINESS: "r"},
    "connection_settings__v": {ADMIN: "rced", INTEGRATION: "rce", BUSINESS: "r"},
    "crm_org__v": {ADMIN: "rced", INTEGRATION: "rce", BUSINESS: "r"},
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
    "object_audit_trail": {ADMIN: "r", INTEGRATION: "", BUSINESS: ""},
}


def caller(profile: SecurityProfile) -> Caller:
    return Caller(7, "someone", profile)


def test_the_table_of_grants_is_complete() -> None:
    assert set(GRANTS) == set(Grant)


@pytest.mark.parametrize("grant", Grant)
@PROFILES
def test_grants(profile: SecurityProfile, grant: Grant) -> None:
    assert granted(caller(profile), grant) == (profile in GRANTS[grant])


@pytest.mark.parametrize("object_name", RECORDS)
@PROFILES
def test_records(profile: SecurityProfile, object_name: str) -> None:
    allowed = "".join(
        o.value[0] for o in Operation if may(caller(profile), object_name, o)
    )
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


def test_a_remote_vault_serves_records_alone() -> None:
    remote = Caller(7, "someone", ADMIN, "session", connection_id="V0B1")
    assert {grant for grant in Grant if granted(remote, grant)} == {
        Grant.READ_CONFIGURATION,
        Grant.READ_QUEUES,
        Grant.COPY_RECORDS,
    }


def test_who_may_only_read_writes_nothing() -> None:
    reader = Caller(
        7, "someone", INTEGRATION, "session", connection_id="V0B1", read_only=True
    )
    for object_name, profiles in RECORDS.items():
        held = {o for o in Operation if may(reader, object_name, o)}
        assert held == ({Operation.READ} if profiles[INTEGRATION] else set())
    assert {grant for grant in Grant if granted(reader, grant)} == {
        Grant.READ_CONFIGURATION,
        Grant.READ_QUEUES,
    }


def profile_with(*sets: PermissionSet) -> SecurityProfile:
    return SecurityProfile("custom__c", sets)


def grants(*held: Grant) -> PermissionSet:
    return PermissionSet(frozenset(held))


def test_an_entry_of_its_own_goes_before_those_for_many_and_sets_add_up() -> None:
    held = PermissionSet(
        objects={
            "all_objects__sys": READ,
            "business_objects__sys": WRITE,
            "secret__c": frozenset(),
            "user__sys": ALL,
        }
    )
    one = profile_with(held)
    cases = {
        "account__v": WRITE,
        "group__sys": READ,
        "secret__c": frozenset(),
        "user__sys": ALL,
        "person__sys": WRITE,
    }
    assert {name: allowed(one, name) for name in cases} == cases
    two = profile_with(held, PermissionSet(objects={"secret__c": READ}))
    assert allowed(two, "secret__c") == READ
    assert allowed(profile_with(), "account__v") == frozenset()


@pytest.mark.parametrize(
    ("grant", "writes"),
    [
        (Grant.MANAGE_CONNECTIONS, {"connection__sys", "reference_lookup__sys"}),
        (
            Grant.MANAGE_INTEGRATIONS,
            {"integration__sys", "integration_point__sys", "reference_lookup__sys"},
        ),
    ],
)
def test_what_a_grant_governs_is_written_with_it_and_never_without(
    grant: Grant, writes: set[str]
) -> None:
    governed = {
        "connection__sys",
        "integration__sys",
        "integration_point__sys",
        "reference_lookup__sys",
    }
    with_it, without = (
        profile_with(grants(grant)),
        profile_with(PermissionSet(objects={"all_objects__sys": ALL})),
    )
    assert {name for name in governed if allowed(with_it, name) == ALL} == writes
    assert all(Operation.READ in allowed(with_it, name) for name in governed)
    assert all(allowed(without, name) == READ for name in governed)


@pytest.mark.parametrize(
    ("grant", "component", "refused"),
    [
        (Grant.EXECUTE_MDL, "Object", "Integrationrule"),
        (Grant.EXECUTE_MDL, "Securityprofile", "Queue"),
        (Grant.MANAGE_INTEGRATIONS, "Integrationrule", "Object"),
        (Grant.MANAGE_INTEGRATIONS, "Integrationrule", "Queue"),
        (Grant.MANAGE_QUEUES, "Queue", "Integrationrule"),
        (Grant.MANAGE_QUEUES, "Queue", "Permissionset"),
    ],
)
def test_components_take_their_own_grant(
    grant: Grant, component: str, refused: str
) -> None:
    one = caller(profile_with(grants(grant)))
    authorize_components(one)
    authorize_components(one, [component])
    with pytest.raises(VaultFault, match="sufficient privileges"):
        authorize_components(one, [component, refused])
    with pytest.raises(VaultFault, match=r"\[execute_mdl\]"):
        authorize_components(caller(BUSINESS))


def test_grants_bring_what_they_are_of_no_use_without() -> None:
    assert profile_with(grants(Grant.MANAGE_QUEUES)).grants >= {Grant.READ_QUEUES}
    assert profile_with(grants(Grant.MANAGE_INTEGRATIONS)).grants >= {
        Grant.READ_CONFIGURATION
    }
    assert (
        Grant.EXECUTE_MDL
        not in profile_with(*map(grants, set(Grant) - {Grant.EXECUTE_MDL})).grants
    )


LESS = (
    profile_with(),
    BUSINESS,
    INTEGRATION,
    profile_with(grants(Grant.EXECUTE_MDL)),
    profile_with(PermissionSet(objects={"all_objects__sys": ALL})),
)


@pytest.mark.parametrize("other", LESS)
def test_a_system_admin_holds_all_and_nobody_else_does(other: SecurityProfile) -> None:
    assert holds_all_of(caller(ADMIN), other)
    assert holds_all_of(caller(other), other)
    assert not holds_all_of(caller(other), ADMIN)


def on_objects(**objects: frozenset[Operation]) -> SecurityProfile:
    return profile_with(PermissionSet(objects=objects))


@pytest.mark.parametrize(
    ("own", "other", "holds"),
    [
        (INTEGRATION, on_objects(business_objects__sys=WRITE), True),
        (INTEGRATION, BUSINESS, False),
        (BUSINESS, INTEGRATION, False),
        (BUSINESS, on_objects(account__v=READ), True),
        (BUSINESS, on_objects(account__v=ALL), False),
        (BUSINESS, on_objects(user__sys=READ), False),
        # What is kept from the caller by an entry of its own.
        (
            on_objects(all_objects__sys=ALL, group__sys=READ),
            on_objects(business_objects__sys=WRITE),
            True,
        ),
        (
            on_objects(all_objects__sys=ALL, account__v=READ),
            on_objects(business_objects__sys=WRITE),
            False,
        ),
        (
            profile_with(grants(Grant.MANAGE_QUEUES)),
            profile_with(grants(Grant.READ_QUEUES)),
            True,
        ),
    ],
)
def test_who_holds_all_of_another_profile(
    own: SecurityProfile, other: SecurityProfile, holds: bool
) -> None:
    assert holds_all_of(caller(own), other) is holds
    if not holds:
        with pytest.raises(VaultFault, match="allows more than their own"):
            require_all_of(caller(own), other)


def test_a_connections_user_copies_and_configures_nothing() -> None:
    assert connects(caller(INTEGRATION))
    assert not connects(caller(ADMIN))
    assert not connects(caller(BUSINESS))


TEXT = Field("note__c", "Note", FieldType.STRING, editable=False)
WRITABLE = replace(TEXT, editable=True)
CONNECTED = replace(caller(BUSINESS), connection_id="V1")
DELEGATE = replace(caller(delegated(INTEGRATION)), delegate_user_id=8)


@pytest.mark.parametrize(
    ("who", "connection"),
    [
        (caller(ADMIN), False),
        (caller(BUSINESS), False),
        (caller(INTEGRATION), True),
        (CONNECTED, True),
        (replace(CONNECTED, read_only=True), False),
        (DELEGATE, False),
    ],
)
def test_a_field_that_people_may_not_edit_is_a_connections_to_set(
    who: Caller, connection: bool
) -> None:
    assert may_set(who, "account__v", WRITABLE)
    assert may_set(who, "account__v", TEXT) is connection
    # What is not business data, the Vault's own fields and documents' are nobody's.
    assert not may_set(who, "connection__sys", TEXT)
    assert not may_set(who, "documents", TEXT)
    assert not may_set(who, "account__v", replace(TEXT, system=True))
    assert not may_set(who, "account__v", replace(TEXT, system_managed_name=True))
