"""Connection Settings become a Connection Country for each country; those of removed countries are inactivated."""

from __future__ import annotations

import pytest

from services.connector.points.transfer import Outcome
from services.connector.rules.item_failures import ItemErrorType
from services.connector.rules.rule import RuleError
from services.connector.vaults.configuration import ConfigurationFault
from tests.unit.connector.example_records import reason
from tests.unit.connector.standard_vaults import CRM_ID, Pair, country, pair

POINT, SETTINGS = "country_inbound__v", "connection_settings__v"
COUNTRIES = "connection_country__v"
CLM, EMAIL = "clm_integration_settings__v", "approved_email_integration_settings__v"


@pytest.fixture
def vaults() -> Pair:
    return pair()


def settings(vaults: Pair, *codes: str, kind: str = CLM, **fields: object) -> str:
    """Connection Settings of a feature with these countries."""
    named = [f"{code.lower()}__v" for code in codes] or None
    return vaults.crm.add(
        SETTINGS, name__v="CLM", object_type__v=kind, country_filter__v=named, **fields
    )


async def transferred(vaults: Pair, *ids: str, of_run: bool = False) -> Outcome:
    return await vaults.transfer(vaults.medical, POINT, SETTINGS, *ids, of_run=of_run)


def active(vaults: Pair) -> dict[object, object]:
    """The status of each country's record, by the country's code."""
    codes = {country(vaults.medical, code): code for code in ("US", "DE", "CH", "JP")}
    rows = vaults.medical.rows(COUNTRIES, "country__v", "status__v")
    return {codes[str(row["country__v"])]: row["status__v"] for row in rows}


async def test_there_is_a_record_for_each_country(vaults: Pair) -> None:
    item = settings(vaults, "US", "DE")
    assert (await transferred(vaults, item)).done == {item}
    link = f"{CRM_ID}_{item}"
    fields = ("link__sys", "country__v", "feature__v", "status__v", "crm_id__v")
    common = {"feature__v": "clm__v", "status__v": "active__v", "crm_id__v": item}
    assert vaults.medical.rows(COUNTRIES, *fields) == [
        {
            "link__sys": f"{link}_us__v_clm__v",
            "country__v": country(vaults.medical, "US"),
            **common,
        },
        {
            "link__sys": f"{link}_de__v_clm__v",
            "country__v": country(vaults.medical, "DE"),
            **common,
        },
    ]


async def test_the_records_belong_to_the_org_of_their_vault_which_is_made_once(
    vaults: Pair,
) -> None:
    for code in ("US", "DE"):
        await transferred(vaults, settings(vaults, code))
    (org,) = vaults.medical.rows("crm_org__v", "id", "vault_id__v")
    assert org["vault_id__v"] == str(CRM_ID)
    rows = vaults.medical.rows(COUNTRIES, "crm_org__v")
    assert rows == [{"crm_org__v": org["id"]}] * 2


async def test_a_country_that_is_no_longer_named_is_inactivated(vaults: Pair) -> None:
    item = settings(vaults, "US", "DE")
    await transferred(vaults, item)
    vaults.crm.change(SETTINGS, item, country_filter__v=["de__v"])
    await transferred(vaults, item)
    assert active(vaults) == {"US": "inactive__v", "DE": "active__v"}


async def test_a_country_that_is_named_again_is_active_again(vaults: Pair) -> None:
    item = settings(vaults, "US")
    for named in ([], ["us__v"]):
        await transferred(vaults, item)
        vaults.crm.change(SETTINGS, item, country_filter__v=named)
    await transferred(vaults, item)
    assert active(vaults) == {"US": "active__v"}


async def test_settings_without_any_country_are_done(vaults: Pair) -> None:
    item = settings(vaults)
    assert (await transferred(vaults, item)).done == {item}
    assert vaults.medical.rows(COUNTRIES) == []


async def test_inactive_settings_make_inactive_records(vaults: Pair) -> None:
    item = settings(vaults, "US", status__v="inactive__v")
    await transferred(vaults, item)
    assert active(vaults) == {"US": "inactive__v"}


async def test_of_settings_that_are_gone_the_records_are_inactivated_and_flagged(
    vaults: Pair,
) -> None:
    item = settings(vaults, "US")
    await transferred(vaults, item)
    vaults.crm.remove(SETTINGS, item)
    assert (await transferred(vaults, item)).done == {item}
    fields = ("status__v", "source_status__v", "deleted_in_source__v")
    assert vaults.medical.rows(COUNTRIES, *fields) == [
        {
            "status__v": "inactive__v",
            "source_status__v": "inactive__v",
            "deleted_in_source__v": True,
        }
    ]


async def test_settings_that_are_gone_and_never_came_are_skipped(vaults: Pair) -> None:
    assert (await transferred(vaults, "V4X9")).skipped == {"V4X9"}


async def test_settings_with_a_country_that_cannot_be_mapped_write_nothing(
    vaults: Pair,
) -> None:
    right, wrong = settings(vaults, "DE"), settings(vaults, "US", "XX")
    outcome = await transferred(vaults, right, wrong)
    assert (outcome.done, set(outcome.failures)) == ({right}, {wrong})
    assert outcome.failures[wrong].error_type is ItemErrorType.LOOKUP
    assert active(vaults) == {"DE": "active__v"}


async def test_settings_of_an_unknown_feature_fail(vaults: Pair) -> None:
    item = settings(vaults, "US", kind="odd__c")
    assert set((await transferred(vaults, item)).failures) == {item}


async def test_a_rule_that_does_not_fill_the_feature_fails_its_settings() -> None:
    vaults = pair(
        "ALTER Integrationrule connection_country__v (DROP Fieldrule feature__v);"
    )
    item = settings(vaults, "US")
    outcome = await transferred(vaults, item)
    assert "no value for connection_country__v.feature__v" in reason(outcome, item)


async def test_a_rule_without_a_field_to_spread_is_an_error() -> None:
    vaults = pair(
        "ALTER Integrationrule connection_country__v (DROP Fieldrule country__v);"
    )
    with pytest.raises(RuleError, match="no active field rule fills country__v"):
        await transferred(vaults, settings(vaults, "US"))


async def test_a_row_that_is_refused_fails_its_settings_only(vaults: Pair) -> None:
    right, wrong = settings(vaults, "US"), settings(vaults, "DE", kind=EMAIL)
    vaults.medical.refuse_rows(COUNTRIES, crm_id__v=wrong)
    outcome = await transferred(vaults, right, wrong)
    assert (outcome.done, set(outcome.failures)) == ({right}, {wrong})


async def test_an_org_that_cannot_be_made_fails_the_unit(vaults: Pair) -> None:
    vaults.medical.refuse_rows("crm_org__v")
    with pytest.raises(ConfigurationFault, match="did not save crm_org__v"):
        await transferred(vaults, settings(vaults, "US"))


async def test_settings_that_change_while_they_are_written_are_read_again(
    vaults: Pair,
) -> None:
    item = settings(vaults, "US")

    async def change() -> None:
        vaults.crm.change(SETTINGS, item, country_filter__v=["de__v"])

    vaults.medical.before(f"upsert {COUNTRIES}", change)
    await transferred(vaults, item)
    assert active(vaults) == {"US": "inactive__v", "DE": "active__v"}


async def test_messages_about_another_object_are_refused(vaults: Pair) -> None:
    with pytest.raises(ConfigurationFault, match="writes one object"):
        await vaults.transfer(vaults.medical, POINT, "account__v", "V4A1")
