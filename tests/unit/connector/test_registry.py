"""The registry of integration points: a registered one is transferred, and read by runs, without other code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from services.connector.points.point import FIRST, LAST, Point, Reading
from services.connector.points.points import POINTS, mark_refused, point_of, transfer
from services.connector.points.transfer import Outcome, Transfer
from services.connector.rules.rule import read_rule
from services.connector.runs.stages import Scope, stages
from services.connector.vaults.configuration import (
    Configuration,
    Connection,
    Integration,
    IntegrationPoint,
    Route,
)
from services.connector.vaults.record_access import RecordAccess
from shared.runtime.waiting import KeyLocks
from tests.unit.connector.examples import SOURCES, TARGETS, field_rule, rule_json

NOTHING: Any = None
SOURCE = 20202
CONNECTION = Connection("C1", "medical_crm__v", SOURCE, active=True)
INTEGRATION = Integration("I1", "samples__v", "C1", active=True)
NEW = IntegrationPoint("P1", "sample_inbound__v", "I1", active=True)
CUSTOM = IntegrationPoint("P2", "custom_inbound__c", "I1", active=True)


def configuration(*points: IntegrationPoint) -> Configuration:
    """Points of one integration, each with one rule that reads inquiries."""
    (rule,) = read_rule(rule_json(field_rule("case__v.link__sys", "global_id__sys")))
    rules = tuple(
        replace(
            rule,
            name=f"rule_of_{point.api_name}",
            connection=CONNECTION.api_name,
            integration_point=point.api_name,
        )
        for point in points
    )
    return Configuration(
        connections={"C1": CONNECTION},
        integrations={"I1": INTEGRATION},
        points=points,
        rules=rules,
        broken=(),
        lookups={},
        sources=SOURCES,
        targets=TARGETS,
    )


async def transfer_all(unit: Transfer) -> Outcome:
    """Write nothing, and count every record as transferred."""
    return Outcome(done=set(unit.ids))


async def only_open(_target: RecordAccess, reading: Reading) -> Reading | None:
    return replace(reading, condition="status__v = 'open__v'")


def register(monkeypatch: pytest.MonkeyPatch, point: Point) -> None:
    monkeypatch.setitem(POINTS, point.name, point)


def unit(point: IntegrationPoint, *ids: str) -> Transfer:
    return Transfer(
        source=NOTHING,
        target=NOTHING,
        configuration=configuration(point),
        route=Route(CONNECTION, INTEGRATION, point),
        object="medical_inquiry__v",
        ids=ids,
        locks=KeyLocks(),
    )


async def stages_of(*points: IntegrationPoint) -> tuple[tuple[Reading, ...], ...]:
    scope = Scope(configuration(*points), NOTHING)
    return await stages(scope, INTEGRATION.api_name, SOURCE)


async def test_a_message_about_nothing_asks_no_vault() -> None:
    assert await transfer(unit(NEW)) == Outcome()


async def test_a_registered_point_transfers_its_units(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register(monkeypatch, Point(NEW.api_name, transfer_all))
    assert await transfer(unit(NEW, "Q1", "Q2")) == Outcome(done={"Q1", "Q2"})


async def test_the_point_of_a_copied_connection_is_its_original(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register(monkeypatch, Point(NEW.api_name, transfer_all))
    copy = replace(NEW, api_name="sample_inbound_2__c", copy_of=NEW.api_name)
    assert await transfer(unit(copy, "Q1")) == Outcome(done={"Q1"})


async def test_a_run_reads_a_registered_point_in_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register(monkeypatch, Point(NEW.api_name, transfer_all, order=FIRST))
    assert await stages_of(CUSTOM, NEW) == (
        (Reading("sample_inbound__v", "medical_inquiry__v"),),
        (Reading("custom_inbound__c", "medical_inquiry__v"),),
    )


@pytest.mark.parametrize(
    ("attributes", "read"),
    [
        ({}, [(None, False)]),
        ({"narrow": only_open}, [("status__v = 'open__v'", False)]),
        ({"flags_deletions": True}, [(None, False), (None, True)]),
        ({"on_demand": True}, []),
    ],
)
async def test_a_run_reads_what_a_point_says(
    monkeypatch: pytest.MonkeyPatch,
    attributes: Mapping[str, Any],
    read: list[tuple[str | None, bool]],
) -> None:
    register(monkeypatch, Point(NEW.api_name, transfer_all, **attributes))
    stage = [reading for stage in await stages_of(NEW) for reading in stage]
    assert [(reading.condition, reading.deleted) for reading in stage] == read


def test_a_point_that_is_not_registered_is_the_general_one() -> None:
    point = point_of(Route(CONNECTION, INTEGRATION, CUSTOM))
    assert (point.order, point.fills_documents, point.on_demand) == (LAST, True, False)


@pytest.mark.parametrize(
    ("object_name", "marked"), [("medical_inquiry__v", True), ("account__v", False)]
)
def test_only_inquiries_are_marked_when_their_message_is_refused(
    object_name: str, marked: bool
) -> None:
    assert (mark_refused(object_name) is not None) is marked


def test_the_standard_points_come_in_their_places() -> None:
    places = {name: point.order for name, point in POINTS.items()}
    assert {name: place for name, place in places.items() if place != LAST} == {
        "account_inbound__v": 0,
        "crm_content_group_inbound__v": 0,
        "crm_content_type_inbound__v": 0,
        "crm_detail_group_inbound__v": 0,
        "crm_directory_inbound__v": 0,
        "crm_event_configuration_inbound__v": 0,
        "crm_product_group_inbound__v": 0,
        "crm_survey_configuration_inbound__v": 0,
        "crm_event_topic_inbound__v": 1,
        "crm_product_inbound__v": 1,
        "medical_inquiry_details_inbound__v": 1,
    }


def test_deletions_are_read_for_metadata_countries_and_content() -> None:
    flagging = {name for name, point in POINTS.items() if point.flags_deletions}
    others = {name for name in flagging if not name.startswith("crm_")}
    assert others == {"clm_inbound__v", "country_inbound__v"}
    assert len(flagging - others) == 9
