"""Preferred Contact Information: the delivery detail of an inquiry found among a person's Person Information."""

from __future__ import annotations

import pytest

from services.connector.points.inquiry_cases import (
    Detail,
    PersonInformation,
    detail,
)


@pytest.mark.parametrize(
    ("inquiry", "expected"),
    [
        (
            {"delivery_method__v": ["email__v"], "email__v": " Ada@HCP.example "},
            ("email__v", "ada@hcp.example"),
        ),
        (
            {"delivery_method__v": ["phone__v"], "phone_number__v": "+1 (555) 01-02"},
            ("phone__v", "+15550102"),
        ),
        (
            {"delivery_method__v": ["fax__v"], "fax_number__v": "0555 / 0103"},
            ("fax__v", "05550103"),
        ),
        (
            {
                "delivery_method__v": ["mail__v"],
                "address_line_1__v": "1 Test  Way",
                "city__v": "Riverton",
            },
            ("address__v", "1 test way, riverton"),
        ),
        ({"delivery_method__v": ["email__v"], "phone_number__v": "1"}, None),
        (
            {
                "delivery_method__v": ["carrier_pigeon__c"],
                "email__v": "ada@hcp.example",
            },
            None,
        ),
        ({"delivery_method__v": None, "email__v": "ada@hcp.example"}, None),
    ],
)
def test_detail(inquiry: dict[str, object], expected: Detail | None) -> None:
    assert detail(inquiry) == expected


def test_it_is_the_persons_own_record_of_the_same_type() -> None:
    information = PersonInformation(
        [
            {
                "id": "I3",
                "person__v": "P1",
                "information_type__v": ["email__v"],
                "value__v": "ADA@hcp.example",
            },
            {
                "id": "I2",
                "person__v": "P1",
                "information_type__v": ["email__v"],
                "value__v": "ada@hcp.example",
            },
            {
                "id": "I1",
                "person__v": "P2",
                "information_type__v": ["email__v"],
                "value__v": "ada@hcp.example",
            },
            {
                "id": "I4",
                "person__v": "P1",
                "information_type__v": ["fax__v"],
                "value__v": "555-0104",
            },
        ]
    )
    assert information.find("P1", ("email__v", "ada@hcp.example")) == "I2"
    assert information.find("P1", ("phone__v", "5550104")) is None
    assert information.find("P1", ("fax__v", "5550104")) == "I4"
    assert information.find("P3", ("email__v", "ada@hcp.example")) is None
