"""Routes to integration points and remote queues, from configuration records."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.connector.delivery.destinations import Destination, Routes, read_routes
from services.connector.points.points import point_of
from services.connector.rules.object_metadata import ObjectMetadata
from services.connector.rules.rule import RuleError, read_rule
from services.connector.vaults.configuration import (
    Configuration,
    ConfigurationFault,
    Connection,
    Integration,
    IntegrationPoint,
)
from services.connector.vaults.configuration_reader import read_connections
from tests.unit.connector.examples import field, metadata, rule_json

ROW: dict[str, object] = {
    "id": "C1",
    "api_name__sys": "medical_crm__v",
    "remote_vault_id__sys": "20202",
    "state__v": ["active_state__sys"],
    "status__v": ["active__v"],
}


def configuration(
    *, connection: bool = True, integration: bool = True, point: bool = True
) -> Configuration:
    return Configuration(
        connections={"C1": Connection("C1", "medical_crm__v", 20202, connection)},
        integrations={"I1": Integration("I1", "details__v", "C1", integration)},
        points=(IntegrationPoint("P1", "inbound__v", "I1", point),),
        rules=(),
        broken=(),
        lookups={},
        sources={},
        targets={},
    )


@pytest.mark.parametrize(
    ("change", "active"),
    [
        ({}, True),
        ({"state__v": None}, False),
        ({"state__v": ["pending_state__sys"]}, False),
        ({"status__v": ["inactive__v"]}, False),
    ],
)
def test_a_connection_is_active_when_its_state_and_status_are(
    change: dict[str, object], active: bool
) -> None:
    (connection,) = read_connections([ROW | change])
    assert (connection.api_name, connection.remote_vault_id, connection.active) == (
        "medical_crm__v",
        20202,
        active,
    )


def test_a_route_leads_to_the_point_of_the_connection_with_the_source() -> None:
    route = configuration().route("inbound__v", 20202)
    assert (route.point.id, route.integration.id, route.connection.id) == (
        "P1",
        "I1",
        "C1",
    )


@pytest.mark.parametrize(
    ("given", "point", "source", "said"),
    [
        (configuration(), "other__v", 20202, "other__v does not exist"),
        (configuration(), "inbound__v", 30303, "no connection with Vault 30303"),
        (
            configuration(connection=False),
            "inbound__v",
            20202,
            "Connection medical_crm__v is inactive",
        ),
        (
            configuration(integration=False),
            "inbound__v",
            20202,
            "Integration details__v is inactive",
        ),
        (
            configuration(point=False),
            "inbound__v",
            20202,
            "point inbound__v is inactive",
        ),
    ],
)
def test_what_leads_nowhere_says_what_to_change(
    given: Configuration, point: str, source: int, said: str
) -> None:
    with pytest.raises(ConfigurationFault, match=said):
        given.route(point, source)


def test_documents_are_filled_only_where_rules_are_all_there_is() -> None:
    part: dict[str, object] = {
        "name": "title",
        "target_docfield": "title__v",
        "query_object": "x__v",
        "query_field": "name__v",
    }
    key: dict[str, object] = {
        **part,
        "name": "key",
        "target_docfield": "link__sys",
        "query_field": "global_id__sys",
    }
    properties = [
        {"name": name, "type": "String", "editable": True}
        for name in ("title__v", "link__sys")
    ]
    given = replace(
        configuration(),
        sources={"x__v": metadata("x__v", field("name__v"))},
        targets={"documents": ObjectMetadata.from_json({"properties": properties})},
    )
    (rule,) = read_rule(rule_json(part, key, primary="x__v"))
    route = given.route("inbound__v", 20202)
    assert given.compiled(route, rule, documents=True).keys == {
        "documents": "link__sys"
    }
    with pytest.raises(RuleError, match="fills no fields of documents"):
        given.compiled(route, rule)
    assert point_of(route).fills_documents
    country = replace(route.point, api_name="country_inbound__v")
    assert not point_of(replace(route, point=country)).fills_documents


def queue(*connections: dict[str, object]) -> list[dict[str, object]]:
    return [{"name": "out__v", "Queueconnection": list(connections)}]


LINK: dict[str, object] = {
    "connection_name": "medical_crm__v",
    "deliver_to_queue": "in__v",
    "active": True,
}


def test_a_queue_delivers_over_each_of_its_active_connections() -> None:
    routes = read_routes(
        "out__v", queue(LINK, LINK | {"active": False}), read_connections([ROW])
    )
    assert routes == Routes((Destination("medical_crm__v", 20202, "in__v"),), ())


SECOND = ROW | {"id": "C2", "api_name__sys": "copy__c", "remote_vault_id__sys": "20203"}
BOTH = queue(LINK, LINK | {"connection_name": "copy__c"})


def test_a_message_for_one_vault_goes_to_that_one_only() -> None:
    routes = read_routes("out__v", BOTH, read_connections([ROW, SECOND]))
    assert len(routes.destinations) == 2
    assert routes.only_to(20203) == Routes(
        (Destination("copy__c", 20203, "in__v"),), ()
    )
    (fault,) = routes.only_to(30303).faults
    assert "no active connection with Vault 30303" in fault.reason


def test_what_is_wrong_with_another_connection_does_not_keep_it() -> None:
    routes = read_routes(
        "out__v", BOTH, read_connections([ROW | {"status__v": ["inactive__v"]}, SECOND])
    )
    assert routes.only_to(20203) == Routes(
        (Destination("copy__c", 20203, "in__v"),), ()
    )
    assert [fault.connection for fault in routes.faults] == ["medical_crm__v"]
    assert "is inactive" in routes.only_to(20202).faults[0].reason


def test_a_connection_that_was_never_established_is_not_missed() -> None:
    pending = SECOND | {"state__v": ["pending_state__sys"]}
    routes = read_routes("out__v", BOTH, read_connections([ROW, pending]))
    assert routes == Routes((Destination("medical_crm__v", 20202, "in__v"),), ())
    alone = read_routes(
        "out__v",
        queue(LINK | {"connection_name": "copy__c"}),
        read_connections([pending]),
    )
    assert "is inactive" in alone.faults[0].reason


def test_the_point_of_a_copy_has_its_originals_role_for_its_own_vault() -> None:
    connections = {
        "C1": Connection("C1", "medical_crm__v", 20202, True),
        "C2": Connection("C2", "copy__c", 20203, True),
    }
    integrations = {
        "I1": Integration("I1", "details__v", "C1", True),
        "I2": Integration("I2", "details_2__c", "C2", True),
    }
    points = (
        IntegrationPoint("P1", "inbound__v", "I1", True),
        IntegrationPoint("P2", "inbound_2__c", "I2", True, "inbound__v"),
    )
    both = Configuration(connections, integrations, points, (), (), {}, {}, {})
    assert both.route("inbound__v", 20202).point.id == "P1"
    assert both.route("inbound__v", 20203).point.id == "P2"
    assert both.route("inbound_2__c", 20203).point.role == "inbound__v"
    with pytest.raises(ConfigurationFault):
        both.route("inbound_2__c", 20202)


def test_an_external_connection_needs_no_queue() -> None:
    row = ROW | {
        "object_type__vr.api_name__v": "external__sys",
        "remote_vault_id__sys": None,
    }
    routes = read_routes(
        "out__v", queue(LINK | {"deliver_to_queue": None}), read_connections([row])
    )
    assert routes == Routes((Destination("medical_crm__v"),), ())


@pytest.mark.parametrize(
    ("components", "row", "said"),
    [
        ([], {}, "add the Queue component"),
        (queue(), {}, "no active queue connection"),
        (queue(LINK | {"connection_name": "x__v"}), {}, "x__v does not exist"),
        (queue(LINK), {"status__v": ["inactive__v"]}, "is inactive"),
        (queue(LINK), {"remote_vault_id__sys": None}, "no Remote Vault ID"),
        (queue(LINK | {"deliver_to_queue": None}), {}, "names no queue"),
    ],
)
def test_a_queue_connection_that_leads_nowhere_is_named(
    components: list[dict[str, object]], row: dict[str, object], said: str
) -> None:
    routes = read_routes("out__v", components, read_connections([ROW | row]))
    assert routes.destinations == ()
    assert said in routes.faults[0].reason
