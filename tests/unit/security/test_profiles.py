"""Security profiles and permission sets: components are read for checks, and written back."""

from __future__ import annotations

import pytest

from shared.vault.access.caller import (
    ALL,
    READ,
    SUPPLIED,
    SYSTEM_ADMIN,
    Caller,
    PermissionSet,
    SecurityProfile,
)
from shared.vault.access.permissions import Grant, allowed
from shared.vault.access.profiles import (
    active_profiles,
    check_change,
    permission_set_of,
    profile_of,
    supplied_components,
)
from shared.vault.components import evolution
from shared.vault.components.mdl import parse
from shared.vault.components.mdl_writing import render
from shared.vault.components.platform import SECURITY_PROFILES
from shared.vault.components.registry import ComponentError, Registry

THING = "RECREATE Object thing__c (label('Thing'), label_plural('Things'));"
SET = """RECREATE Permissionset own__c (
    label('Own'), permissions('manage_queues', 'use_loader'),
    Objectpermission thing__c (edit(true), create(true)), Objectpermission all_objects__sys (read(true)));"""
PROFILE = "RECREATE Securityprofile own__c (label('Own'), permission_sets('Permissionset.own__c', 'business_user__v'));"

TWICE = """RECREATE Permissionset x__c (label('X'),
    Objectpermission thing__c (read(true)), Objectpermission again__c (object('Object.thing__c')));"""


def registry(*texts: str) -> Registry:
    made = Registry.build()
    for text in (THING, *texts):
        for statement in parse(text):
            made = evolution.after(statement, made)
    return made


def test_those_of_every_vault_are_what_their_components_say() -> None:
    components = supplied_components()
    assert list(SUPPLIED) == list(SECURITY_PROFILES.entries)
    for name, profile in SUPPLIED.items():
        assert permission_set_of(components["Permissionset", name]) == profile.sets[0]
        assert profile_of(components["Securityprofile", name], {}).sets == profile.sets
        assert (
            parse(render(components["Permissionset", name]))[0].component
            == components["Permissionset", name]
        )


def test_a_profile_allows_what_its_sets_allow_together() -> None:
    made = registry(SET, PROFILE)
    profile = active_profiles(made.components)["own__c"]
    assert profile.grants == {
        Grant.MANAGE_QUEUES,
        Grant.READ_QUEUES,
        Grant.READ_CONFIGURATION,
        Grant.USE_LOADER,
        Grant.LOOK_UP_ACCOUNTS,
    }
    assert {str(o) for o in allowed(profile, "thing__c")} == {"read", "edit", "create"}
    assert allowed(profile, "user__sys") == READ
    assert made.picklists["security_profile__sys"].entries["own__c"].label == "Own"


def test_what_is_inactive_allows_nothing() -> None:
    inactive = registry(SET, PROFILE, "ALTER Permissionset own__c (active(false));")
    assert (
        active_profiles(inactive.components)["own__c"].grants
        == SUPPLIED["business_user__v"].grants
    )
    without = registry(SET, PROFILE, "ALTER Securityprofile own__c (active(false));")
    assert "own__c" not in active_profiles(without.components)


def test_an_object_keeps_its_permissions_by_another_name() -> None:
    made = registry(
        SET,
        PROFILE,
        "RENAME Object thing__c TO item__c;",
        "RENAME Permissionset own__c TO mine__c;",
    )
    assert [e.name for e in made.components["Permissionset", "mine__c"].children] == [
        "item__c",
        "all_objects__sys",
    ]
    assert made.components["Securityprofile", "own__c"].references(
        "permission_sets"
    ) == ("mine__c", "business_user__v")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("RECREATE Permissionset x__c (active(true));", "label is required"),
        (
            "RECREATE Permissionset x__c (label('X'), permissions('everything'));",
            "must be one of execute_mdl",
        ),
        (
            "RECREATE Permissionset x__c (label('X'), Objectpermission gone__c (read(true)));",
            "no Object.gone__c",
        ),
        (
            "RECREATE Permissionset x__c (label('X'), Objectpermission thing__c (read('yes')));",
            "true or false",
        ),
        (TWICE, "another object permission"),
        (
            "RECREATE Securityprofile x__c (label('X'), permission_sets('gone__c'));",
            "no Permissionset.gone__c",
        ),
        ("ALTER Securityprofile system_admin__v (label('X'));", "belongs to the Vault"),
        (
            "RECREATE Securityprofile system_admin__v (label('X'));",
            "belongs to the Vault",
        ),
        ("CREATE Permissionset business_user__v (label('X'));", "belongs to the Vault"),
        ("DROP Securityprofile business_user__v;", "belongs to the Vault"),
        ("DROP Permissionset own__c;", "in use by Securityprofile.own__c"),
        ("DROP Object thing__c;", "in use by Permissionset.own__c"),
    ],
)
def test_refused(text: str, problem: str) -> None:
    with pytest.raises(ComponentError, match=problem):
        registry(SET, PROFILE, text)


def test_further_exported_attributes_are_stored() -> None:
    text = "RECREATE Permissionset x__c (label('X'), further('y'), Tabpermission home__c (visible(true)));"
    kept = registry(text).components["Permissionset", "x__c"]
    assert parse(render(kept))[0].component == kept
    assert permission_set_of(kept) == PermissionSet()


MANAGER = SecurityProfile(
    "manager__c",
    (
        PermissionSet(
            frozenset(
                {
                    Grant.EXECUTE_MDL,
                    Grant.MANAGE_QUEUES,
                    Grant.USE_LOADER,
                    Grant.LOOK_UP_ACCOUNTS,
                }
            ),
            {"all_objects__sys": READ, "business_objects__sys": ALL},
        ),
    ),
)
MIGHTY = PROFILE.replace("business_user__v", "system_admin__v")
MORE = SET.replace("use_loader", "read_audit")


@pytest.mark.parametrize(
    ("texts", "given"),
    [
        ([SET, PROFILE], True),
        ([MORE], False),
        ([SET, "ALTER Permissionset own__c (permissions ADD ('read_audit'));"], False),
        # To take away from those who hold more is refused as well.
        (
            [MORE, "ALTER Permissionset own__c (permissions DROP ('read_audit'));"],
            False,
        ),
        ([MORE, "DROP Permissionset own__c;"], False),
        ([MORE, PROFILE], False),
        ([SET, MIGHTY], False),
        ([SET, MIGHTY.replace("(label", "(active(false), label")], False),
    ],
)
def test_nobody_gives_what_they_do_not_hold(texts: list[str], given: bool) -> None:
    before = registry(*texts[:-1])
    (step,) = evolution.steps(parse(texts[-1])[0], before)
    check_change(Caller(2, "admin", SYSTEM_ADMIN), step)
    if given:
        check_change(Caller(7, "manager", MANAGER), step)
        return
    with pytest.raises(ComponentError, match="allows more"):
        check_change(Caller(7, "manager", MANAGER), step)
