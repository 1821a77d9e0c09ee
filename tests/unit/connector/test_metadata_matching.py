"""Metadata of Vault CRM is matched by Link; without one, by CRM Org and CRM ID or External ID; never by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.connector.points.metadata_matching import (
    AmbiguousMetadata,
    Identity,
    KnownRecords,
)

KNOWN: list[dict[str, object]] = [
    {
        "id": "R1",
        "link__sys": "G-1",
        "crm_org__v": "O1",
        "crm_id__v": "C-1",
        "external_id__v": "E-1",
    },
    {
        "id": "R2",
        "link__sys": None,
        "crm_org__v": "O1",
        "crm_id__v": "C-2",
        "external_id__v": None,
    },
    {
        "id": "R3",
        "link__sys": None,
        "crm_org__v": None,
        "crm_id__v": None,
        "external_id__v": "E-3",
    },
    {
        "id": "R4",
        "link__sys": None,
        "crm_org__v": "O2",
        "crm_id__v": None,
        "external_id__v": "E-4",
    },
    {
        "id": "R5",
        "link__sys": None,
        "crm_org__v": "O1",
        "crm_id__v": "C-5",
        "external_id__v": "E-5",
    },
    {
        "id": "R6",
        "link__sys": None,
        "crm_org__v": None,
        "crm_id__v": None,
        "external_id__v": "E-6",
    },
    {
        "id": "R7",
        "link__sys": None,
        "crm_org__v": None,
        "crm_id__v": None,
        "external_id__v": "E-6",
    },
]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (
            Identity("G-1", "O1", "C-9", "E-9"),
            "R1",
        ),  # Link first, whatever the others say
        (Identity("G-1", "O1", "C-2", "E-3"), "R1"),
        (
            Identity("G-9", "O1", "C-1", "E-1"),
            None,
        ),  # a record with another Link is another record
        (Identity("G-9", "O1", "C-2"), "R2"),
        (Identity("G-9", "O2", "C-2"), None),  # the same CRM ID in another CRM
        (Identity("G-9", "O1", "C-9", "E-3"), "R3"),
        (
            Identity("G-9", "O1", "C-9", "E-4"),
            None,
        ),  # an External ID of another CRM's record
        (Identity("G-9", "O2", "C-9", "E-4"), "R4"),
        (Identity("G-9", "O1", "C-5", "E-5"), "R5"),  # both lead to the same one
        (Identity("G-9", "O1", "C-9"), None),  # nothing in common
    ],
)
def test_match(wanted: Identity, expected: str | None) -> None:
    assert KnownRecords.read(KNOWN).match(wanted) == expected


@pytest.mark.parametrize(
    ("wanted", "records"),
    [
        (Identity("G-9", "O1", "C-2", "E-3"), "R2, R3"),
        (Identity("G-9", "O1", "C-9", "E-6"), "R6, R7"),
    ],
)
def test_several_records_are_no_match(wanted: Identity, records: str) -> None:
    with pytest.raises(AmbiguousMetadata, match=records) as problem:
        KnownRecords.read(KNOWN).match(wanted)
    assert wanted.external_id not in str(problem.value)


def test_a_record_that_several_mean_is_nobodys() -> None:
    known = KnownRecords.read(
        [
            {
                "id": "R1",
                "link__sys": None,
                "crm_org__v": "O1",
                "crm_id__v": "C-1",
                "external_id__v": "E-1",
            }
        ]
    )
    wanted = {
        "C-1": Identity("G-1", "O1", "C-1"),
        "C-2": Identity("G-2", "O1", "C-2", "E-1"),
        "C-3": Identity("G-3", "O1", "C-3", "E-3"),
    }
    records, problems = known.match_all(wanted)
    assert records == {"C-3": None}
    assert {
        item: "the record R1 as well" in str(problem)
        for item, problem in problems.items()
    } == {
        "C-1": True,
        "C-2": True,
    }
    del wanted["C-2"]
    assert known.match_all(wanted) == ({"C-1": "R1", "C-3": None}, {})


@given(st.permutations(KNOWN + KNOWN[:3]))
def test_order_and_repetition_of_rows_decide_nothing(
    rows: list[dict[str, object]],
) -> None:
    known = KnownRecords.read(rows)
    assert known.match(Identity("G-1", "", "")) == "R1"
    assert known.match(Identity("", "O1", "C-5", "E-5")) == "R5"
    assert known.match(Identity("", "O1", "")) is None
