"""Lineage of a call: common parts of its rows are sent once; fields set by an integration point are its own."""

from __future__ import annotations

import json

from services.connector.points.saving import CallLineage, KeyedRows, Origin
from services.connector.points.transfer import UnitLineage
from services.connector.vaults.configuration import (
    Connection,
    Integration,
    IntegrationPoint,
    Route,
)

ROUTE = Route(
    Connection("C1", "medical_crm__v", 10102, active=True),
    Integration("I1", "details__v", "C1", active=True),
    IntegrationPoint("P1", "account_inbound__v", "I1", active=True),
)
UNIT = UnitLineage(10102, ROUTE, 7, {"A1": "m-1", "A2": "m-2"})


def test_rows_of_one_kind_share_an_origin() -> None:
    call = CallLineage(UNIT)
    ruled = {"city__v": "Rome", "name__v": "x"}
    rows = KeyedRows()
    rows.add(
        "G-1",
        "",
        Origin("A1", "account__v", "A1", "pull__v", ruled, {"person__v": "N1"}),
    )
    rows.add(
        "G-2",
        "",
        Origin("A2", "account__v", "A2", "pull__v", ruled, {"person__v": "N2"}),
    )
    rows.add("G-3", "", Origin("A2", "account__v", "A2", own={"status__v": "x"}))
    assert rows.rows("link__sys", call) == {
        "G-1": {
            **ruled,
            "person__v": "N1",
            "link__sys": "G-1",
            "lineage__sys": [0, "m-1", "A1"],
        },
        "G-2": {
            **ruled,
            "person__v": "N2",
            "link__sys": "G-2",
            "lineage__sys": [0, "m-2", "A2"],
        },
        "G-3": {
            "status__v": "x",
            "link__sys": "G-3",
            "lineage__sys": [1, "m-2", "A2"],
        },
    }
    header = json.loads(call.header())
    assert header.pop("time") >= "2026"
    assert header == {
        "source_vault_id": 10102,
        "integration": "details__v",
        "integration_point": "account_inbound__v",
        "run": 7,
        "origins": [
            {
                "object": "account__v",
                "rule": "pull__v",
                "own": ["link__sys", "person__v"],
            },
            {"object": "account__v", "rule": None, "own": []},
        ],
    }


def test_a_value_that_the_point_puts_in_place_of_the_rules_is_its_own() -> None:
    ruled = {"link__sys": "A1", "country__v.code__v": "IT", "city__v": None}
    own = {"country__v.code__v": "IT", "product__v.name__v": "X", "city__v": None}
    rows = KeyedRows()
    origin = Origin("A1", "account__v", "A1", "pull__v", ruled, own)
    rows.add("A1_IT", "", origin)
    call = CallLineage(UNIT)
    rows.rows("link__sys", call)
    (kind,) = json.loads(call.header())["origins"]
    assert kind["own"] == ["link__sys", "product__v"]
