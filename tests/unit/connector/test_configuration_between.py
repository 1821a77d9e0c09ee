"""Inconsistent configuration causes an error that says what to change, and is not used."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.connector.points import points
from services.connector.rules.rule import RuleError
from services.connector.runs.stages import Scope, stages
from services.connector.vaults.configuration import Configuration, ConfigurationFault
from services.connector.vaults.configuration_reader import ConfigurationReader
from services.connector.vaults.vaults import Vaults
from shared.client.errors import UnexpectedAnswer, VaultRefused
from tests.unit.connector.example_records import (
    ACCOUNT,
    CASE,
    INQUIRIES,
    INQUIRY,
    account,
    inquiry,
)
from tests.unit.connector.standard_vaults import CRM_ID, MEDICAL_ID, Pair, pair

INTEGRATION = "medical_inquiry_details__v"


@pytest.fixture
def vaults() -> Pair:
    return pair()


async def known(vaults: Pair) -> Configuration:
    return await vaults.configuration(vaults.medical)


# Routes.


async def test_a_point_without_its_integration_has_no_route(vaults: Pair) -> None:
    without = replace(await known(vaults), integrations={})
    with pytest.raises(ConfigurationFault, match="belongs to no connection"):
        without.route(INQUIRIES, CRM_ID)


async def test_an_integration_without_its_connection_has_no_route(
    vaults: Pair,
) -> None:
    without = replace(await known(vaults), connections={})
    with pytest.raises(ConfigurationFault, match="belongs to no connection"):
        without.route(INQUIRIES, CRM_ID)
    with pytest.raises(ConfigurationFault, match="belongs to no connection"):
        without.connection_of(INTEGRATION, CRM_ID)


async def test_nothing_is_written_from_a_sandbox_into_production(vaults: Pair) -> None:
    (row,) = vaults.medical.rows("connection__sys", "id")
    vaults.medical.change(
        "connection__sys",
        str(row["id"]),
        domain_type__sys="production__sys",
        remote_domain_type__sys="sandbox__sys",
    )
    with pytest.raises(ConfigurationFault, match="sandbox Vault"):
        (await known(vaults)).route(INQUIRIES, CRM_ID)


async def test_a_role_that_no_point_has_is_the_points_own_name(vaults: Pair) -> None:
    configuration = await known(vaults)
    route = configuration.route(INQUIRIES, CRM_ID)
    others = tuple(p for p in configuration.points if p.role != "account_inbound__v")
    without = replace(configuration, points=others)
    rules = without.rules_of(route, "account_inbound__v")
    assert {rule.integration_point for rule in rules} == {"account_inbound__v"}


async def test_a_rule_that_cannot_be_read_is_named_where_it_is_wanted(
    vaults: Pair,
) -> None:
    rules = await vaults.medical.configuration("Integrationrule")
    vaults.medical.components["Integrationrule"] = [
        {**rule, "Fieldrule": [{"name": "odd__c", "active": True}]}
        if rule["name"] == "medical_inquiries__v"
        else rule
        for rule in rules
    ]
    configuration = await known(vaults)
    route = configuration.route(INQUIRIES, CRM_ID)
    with pytest.raises(RuleError, match="odd__c"):
        configuration.rules_of(route)
    # A run is to end with the reason, not to leave the point out.
    with pytest.raises(RuleError, match="odd__c"):
        await stages(Scope(configuration, vaults.medical), INTEGRATION, CRM_ID)


@pytest.mark.parametrize("refusal", ["INSUFFICIENT_ACCESS", "INVALID_DATA"])
async def test_a_source_object_that_is_not_shown_is_an_error_of_its_rule(
    vaults: Pair, refusal: str
) -> None:
    vaults.crm.fail_calls("object_metadata", *[VaultRefused(refusal, "no")] * 40)
    with pytest.raises(RuleError, match="no object medical_inquiry__v"):
        await vaults.transfer(vaults.medical, INQUIRIES, INQUIRY, "V4T1")


@pytest.mark.parametrize(
    "refused",
    [
        VaultRefused("UNEXPECTED_ERROR", "no"),
        VaultRefused("INVALID_SESSION_ID", "no"),
        VaultRefused("API_LIMIT_EXCEEDED", "no"),
        VaultRefused("CONFIGURATION_MODE_ENABLED", "no"),
        VaultRefused("OPERATION_NOT_ALLOWED", "no"),
        UnexpectedAnswer("no object"),
    ],
    ids=lambda refused: refused.type,
)
async def test_any_other_refusal_says_nothing_of_the_object(
    vaults: Pair, refused: VaultRefused
) -> None:
    vaults.crm.fail_calls("object_metadata", refused)
    with pytest.raises(VaultRefused) as raised:
        await known(vaults)
    assert raised.value.type == refused.type
    # Nothing of it is kept: the next reading has the object.
    configuration = await known(vaults)
    assert INQUIRY in configuration.sources


# Stages.


async def test_a_run_has_a_stage_for_each_place_of_its_points(vaults: Pair) -> None:
    scope = Scope(await known(vaults), vaults.medical)
    planned = await stages(scope, INTEGRATION, CRM_ID)
    first, second = [{reading.object for reading in stage} for stage in planned]
    assert (first, second) == ({ACCOUNT, "account_merge__v"}, {INQUIRY})


async def test_an_inactive_integration_has_planned_stages_only(vaults: Pair) -> None:
    for row in vaults.medical.rows("integration__sys", "id"):
        vaults.medical.change(
            "integration__sys", str(row["id"]), status__v="inactive__v"
        )
    scope = Scope(await known(vaults), vaults.medical)
    with pytest.raises(ConfigurationFault, match="inactive"):
        await stages(scope, INTEGRATION, CRM_ID)
    assert len(await stages(scope, INTEGRATION, CRM_ID, planned=True)) == 2


async def test_points_of_an_integration_without_its_connection_are_left_out(
    vaults: Pair,
) -> None:
    without = replace(await known(vaults), connections={})
    assert await stages(Scope(without, vaults.medical), INTEGRATION, CRM_ID) == ()


# How often the configuration is read.


async def test_an_unchanged_configuration_is_the_same_object(vaults: Pair) -> None:
    reader = ConfigurationReader(vaults.crm.as_client, vaults.medical.as_client)
    first = await reader._load()
    assert await reader._load() is first
    vaults.medical.add(
        "reference_lookup__sys", reference_lookup_name__sys="x", status__v="active__v"
    )
    assert await reader._load() is not first


def test_the_configuration_between_two_vaults_is_read_by_one_reader(
    vaults: Pair,
) -> None:
    known_vaults = vaults.vaults
    reader = known_vaults.configuration(vaults.crm_end, vaults.medical_end)
    assert known_vaults.configuration(vaults.crm_end, vaults.medical_end) is reader
    assert known_vaults.configuration(vaults.medical_end, vaults.crm_end) is not reader


def test_vaults_are_known_by_id(vaults: Pair) -> None:
    known_vaults = Vaults({})
    known_vaults.join(vaults.crm_end)
    assert known_vaults.get(CRM_ID) is vaults.crm_end
    assert known_vaults.get(MEDICAL_ID) is known_vaults.get(None) is None


# Optional parts of the Medical Vault.


async def test_a_case_without_preferred_contact_information_is_written_without_it() -> (
    None
):
    without = """ALTER Object case__v (DROP Field preferred_contact_information__v);"""
    vaults = pair(without)
    item = inquiry(vaults.crm, account(vaults.crm), delivery_method__v="email__v", email__v="a@b.c")  # fmt: skip
    unit = await vaults.unit(vaults.medical, INQUIRIES, INQUIRY, item)
    assert (await points.transfer(unit)).done == {item}
    assert len(vaults.medical.rows(CASE)) == 1


async def test_a_rule_for_people_that_reads_something_else_is_refused() -> None:
    other = """ALTER Integrationrule account__v (active(false));
        RECREATE Integrationrule account_of_product__c (label('X'), connection('medical_crm__v'),
        integration_point('account_inbound__v'), primary_query_object('product__v'),
        Fieldrule a__c (target_object('Object.person__sys'), target_object_field('Field.name__v'),
        query_object('product__v'), query_field('name__v')));"""
    vaults = pair(other)
    item = inquiry(vaults.crm, account(vaults.crm))
    with pytest.raises(ConfigurationFault, match="which the Pull Accounts Rule"):
        await vaults.transfer(vaults.medical, INQUIRIES, INQUIRY, item)
