"""An object with a field of each type and three records of it, for queries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.service.vault.served import Answer, Api

MDL = r"""
RECREATE Picklist ware__c ( label('Ware'), Picklistentry red_wine__c ( label('Red Wine') ),
  Picklistentry tea__c ( label('Tea') ) );
RECREATE Objectlifecycle crate_lifecycle__c ( label('Crate Lifecycle'), starting_state('packed__c'),
  Objectlifecyclestate packed__c ( label('Packed and sealed'), state_type('initial_state__sys') ),
  Objectlifecyclestate sent__c ( label('Sent') ) );
RECREATE Object crate__c ( label('Crate'), prefix('ZCR'), allow_types(true),
  lifecycle('Objectlifecycle.crate_lifecycle__c'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field ware__c ( type('Picklist'), label('Ware'), picklist('Picklist.ware__c') ),
  Field wares__c ( type('Picklist'), label('Wares'), picklist('Picklist.ware__c'), multi_value(true) ),
  Field weight__c ( type('Number'), label('Weight'), scale(3) ),
  Field length__c ( type('Number'), label('Length'), scale(1) ),
  Field fragile__c ( type('Boolean'), label('Fragile') ),
  Field due__c ( type('Date'), label('Due') ),
  Field sent__c ( type('DateTime'), label('Sent') ),
  Field text__c ( type('LongText'), label('Text') ),
  Field markup__c ( type('RichText'), label('Markup') ) );
RECREATE Objecttype crate__c.cold__c ( label('Cold Crate'), active(true) );
RECREATE Object crate_item__c ( label('Crate Item'), prefix('ZCI'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field crate__c ( type('Object'), label('Crate'), object('Object.crate__c'), relationship_type('reference'),
    relationship_inbound_name('items__cr') ) );
RECREATE Object parcel__c ( label('Parcel'), prefix('ZQP'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field weight__c ( type('Number'), label('Weight'), scale(3) ),
  Field length__c ( type('Number'), label('Length'), scale(1) ),
  Field markup__c ( type('RichText'), label('Markup') ) );
RECREATE Object parcel_item__c ( label('Parcel Item'), prefix('ZQI'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field parcel__c ( type('Object'), label('Parcel'), object('Object.parcel__c'), relationship_type('reference'),
    relationship_inbound_name('items__cr') ) );
"""


def day(days: int) -> str:
    """Return the date that is so many days from today."""
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


def moment(days: int) -> str:
    """Return the time that is so many days from now."""
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


# Records that tests add are parcels: what they count and list of crates are these.
CRATES: list[dict[str, object]] = [
    {
        "key__c": "C-1",
        "name__v": "Insulin pens",
        "ware__c": "tea__c",
        "wares__c": ["tea__c", "red_wine__c"],
        "weight__c": 1.25,
        "fragile__c": True,
        "text__c": "Blood sugar and insulin. " + "x" * 400,
        "markup__c": "<p>Keep <b>cold</b></p>",
    },
    {
        "key__c": "C-2",
        "name__v": "Diabetes leaflets",
        "ware__c": "red_wine__c",
        "fragile__c": False,
        "text__c": "insulin insulin insulin",
    },
    {
        "key__c": "C-3",
        "name__v": "CC-123 (50%)",
        "text__c": "sugar in blood",
    },
]


DAYS = {
    "C-1": {"due__c": 0, "sent__c": -2},
    "C-2": {"due__c": -40, "sent__c": -40},
    "C-3": {"due__c": 3},
}
"""When each crate is due, and when it was sent, in days from today."""


def dated(key: str) -> dict[str, object]:
    """Return due date and time of sending of a crate, counted from the moment of the call."""
    return {
        name: day(days) if name == "due__c" else moment(days)
        for name, days in DAYS[key].items()
    }


@pytest.fixture(scope="module", autouse=True)
async def crates(admin: Api, integration: Api) -> None:
    """The objects and the three crates, of which the first is of a type of its own."""
    answer = await admin.post("/api/mdl/execute", data=MDL)
    assert answer.status == "SUCCESS", answer.text
    # Dated now: a run may have begun on another day.
    rows = [row | dated(str(row["key__c"])) for row in CRATES]
    rows[0] |= {"object_type__v.api_name__v": "cold__c"}
    answer = await integration.post("/vobjects/crate__c?idParam=key__c", json=rows)
    assert all(row["responseStatus"] == "SUCCESS" for row in answer.data), answer.text


async def upserted(api: Api, name: str, *rows: dict[str, object]) -> Answer:
    """Create or change records of an object by their keys; the key is the name as well."""
    named = [{"name__v": row["key__c"], **row} for row in rows]
    answer = await api.post(f"/vobjects/{name}?idParam=key__c", json=named)
    assert all(row["responseStatus"] == "SUCCESS" for row in answer.data), answer.text
    return answer


async def keys(api: Api, rest: str) -> list[str]:
    """Return the keys of the crates that a query with these clauses finds, in its order."""
    answer = await api.query(f"SELECT key__c FROM crate__c {rest}")
    assert answer.status == "SUCCESS", answer.text
    return [row["key__c"] for row in answer.data]
