"""An object with a field of each type and three records of it, for queries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.service.vault.served import Api

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
  Field length__c ( type('Number'), label('Length'), scale(1) ) );
RECREATE Object parcel_item__c ( label('Parcel Item'), prefix('ZQI'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field parcel__c ( type('Object'), label('Parcel'), object('Object.parcel__c'), relationship_type('reference'),
    relationship_inbound_name('items__cr') ) );
"""

NOW = datetime.now(UTC)
TODAY = NOW.date()


def day(count: int) -> str:
    return (TODAY + timedelta(days=count)).isoformat()


def moment(**back: int) -> str:
    return (NOW - timedelta(**back)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


# Records that tests add are parcels: what they count and list of crates are these.
CRATES: list[dict[str, object]] = [
    {
        "key__c": "C-1",
        "name__v": "Insulin pens",
        "ware__c": "tea__c",
        "wares__c": ["tea__c", "red_wine__c"],
        "weight__c": 1.25,
        "fragile__c": True,
        "due__c": day(0),
        "sent__c": moment(days=2),
        "text__c": "Blood sugar and insulin. " + "x" * 400,
        "markup__c": "<p>Keep <b>cold</b></p>",
    },
    {
        "key__c": "C-2",
        "name__v": "Diabetes leaflets",
        "ware__c": "red_wine__c",
        "fragile__c": False,
        "due__c": day(-40),
        "sent__c": moment(days=40),
        "text__c": "insulin insulin insulin",
    },
    {
        "key__c": "C-3",
        "name__v": "CC-123 (50%)",
        "due__c": day(3),
        "text__c": "sugar in blood",
    },
]


@pytest.fixture(scope="module", autouse=True)
async def crates(admin: Api, integration: Api) -> None:
    answer = await admin.post("/api/mdl/execute", data=MDL)
    assert answer.status == "SUCCESS", answer.text
    rows = [
        row | {"object_type__v.api_name__v": "cold__c"}
        if row["key__c"] == "C-1"
        else row
        for row in CRATES
    ]
    answer = await integration.post("/vobjects/crate__c?idParam=key__c", json=rows)
    assert all(row["responseStatus"] == "SUCCESS" for row in answer.data), answer.text


async def keys(api: Api, rest: str) -> list[str]:
    answer = await api.query(f"SELECT key__c FROM crate__c {rest}")
    assert answer.status == "SUCCESS", answer.text
    return [row["key__c"] for row in answer.data]
