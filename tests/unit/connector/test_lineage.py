"""Lineage of a call: common parts of its rows are sent once; fields set by an integration point are its own."""

from __future__ import annotations

import json

from services.connector.points.saving import CallLineage, Origin
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
    rows = [
        call.add(
            {**ruled, "person__v": "N1"},
            Origin("A1", "account__v", "A1", "pull__v", ruled),
        ),
        call.add(
            {**ruled, "person__v": "N2"},
            Origin("A2", "account__v", "A2", "pull__v", ruled),
        ),
        call.add({"status__v": "x"}, Origin("A2", "account__v", "A2")),
    ]
    assert [row["lineage__sys"] for row in rows] == [
        [0, "m-1", "A1"],
        [0, "m-2", "A2"],
        [1, "m-2", "A2"],
    ]
    assert rows[0]["person__v"] == "N1"
    header = json.loads(call.header())
    assert header.pop("time") >= "2026"
    assert header == {
        "source_vault_id": 10102,
        "integration": "details__v",
        "integration_point": "account_inbound__v",
        "run": 7,
        "origins": [
            {"object": "account__v", "rule": "pull__v", "own": ["person__v"]},
            {"object": "account__v", "rule": None, "own": []},
        ],
    }


def test_a_value_that_the_point_puts_in_place_of_the_rules_is_its_own() -> None:
    origin = Origin(
        "A1",
        "account__v",
        "A1",
        "pull__v",
        {"link__sys": "A1", "country__v.code__v": "IT", "city__v": None},
    )
    row = {
        "link__sys": "A1_IT",
        "country__v.code__v": "IT",
        "product__v.name__v": "X",
        "city__v": None,
    }
    assert origin.point_fields(row) == ("link__sys", "product__v")
