"""Objects of the tests: every type of field, references of every kind, a lifecycle with entry actions, queues."""

from __future__ import annotations

from itertools import count
from typing import Any

from shared.vault.records.new_records import BLOCK
from shared.vault.records.rows import MAX_ROWS
from tests.service.vault.served import Answer, Api

MDL = r"""
RECREATE Picklist size__c ( label('Size'), Picklistentry small__c ( label('Small') ),
  Picklistentry large__c ( label('Large') ), Picklistentry huge__c ( label('Huge') ) );
RECREATE Queue out__c ( label('Out'), type('outbound') );
RECREATE Queue in__c ( label('In'), type('inbound') );
RECREATE Queue given_up_in__c ( label('Given up'), type('inbound') );
RECREATE Queue closed__c ( label('Closed'), type('outbound'), active(false), rollback_on_error(true) );
RECREATE Queue job__c ( label('Job'), type('job') );
RECREATE Objectlifecycle stages__c ( label('Stages'), starting_state('first__c'),
  Objectlifecyclestate first__c ( label('First'),
    Objectlifecyclestateuseraction go__c ( label('Go'), action('change_state'), next_state('second__c'),
      prompts('text__c', 'owner__c', 'sizes__c') ),
    Objectlifecyclestateuseraction send__c ( label('Send'), action('change_state'), next_state('sent__c') ),
    Objectlifecyclestateuseraction shut__c ( label('Shut'), action('change_state'), next_state('shut__c') ),
    Objectlifecyclestateuseraction job__c ( label('Job'), action('change_state'), next_state('job__c') ),
    Objectlifecyclestateuseraction same__c ( label('Same'), action('change_state'), next_state('same__c') ),
    Objectlifecyclestateuseraction wrong__c ( label('Wrong'), action('change_state'), next_state('wrong__c') ),
    Objectlifecyclestateuseraction astray__c ( label('Astray'), action('change_state'), next_state('astray__c') ),
    Objectlifecyclestateuseraction stamp__c ( label('Stamp'), action('change_state'), next_state('stamped__c') ),
    Objectlifecyclestateuseraction none__c ( label('None'), action('no_such_action') ) ),
  Objectlifecyclestate second__c ( label('Second'),
    Objectlifecyclestateuseraction go__c ( label('Back'), action('change_state'), next_state('first__c') ) ),
  Objectlifecyclestate sent__c ( label('Sent'), Objectlifecyclestateentryaction e__c ( action('send_message'),
    order(1), queue('out__c'), event('sent'), integration_point('there__c') ) ),
  Objectlifecyclestate shut__c ( label('Shut'), Objectlifecyclestateentryaction e__c ( action('send_message'),
    order(1), queue('closed__c'), event('sent'), integration_point('there__c') ) ),
  Objectlifecyclestate job__c ( label('Job'), Objectlifecyclestateentryaction e__c ( action('send_message'),
    order(1), queue('job__c'), event('sent'), integration_point('there__c') ) ),
  Objectlifecyclestate same__c ( label('Same'), Objectlifecyclestateentryaction e__c ( action('set_field'),
    order(1), field('key__c'), value('same for all') ) ),
  Objectlifecyclestate wrong__c ( label('Wrong'), Objectlifecyclestateentryaction e__c ( action('set_field'),
    order(1), field('number__c'), value('no number') ) ),
  Objectlifecyclestate astray__c ( label('Astray'), Objectlifecyclestateentryaction e__c ( action('set_field'),
    order(1), field('owner__c'), value('nobody') ) ),
  Objectlifecyclestate stamped__c ( label('Stamped'),
    Objectlifecyclestateentryaction e__c ( action('set_field'), order(1), field('moment__c'), value('now') ),
    Objectlifecyclestateentryaction f__c ( action('set_field'), order(2), field('sizes__c'), value('small__c,huge__c') )
  ) );
RECREATE Object owner__c ( label('Owner'), prefix('ZOW'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field rank__c ( type('Number'), label('Rank'), unique(true) ),
  Field mentor__c ( type('Object'), label('Mentor'), object('Object.owner__c') ) );
RECREATE Object item__c ( label('Item'), prefix('ZIT'), lifecycle('Objectlifecycle.stages__c'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field second_key__c ( type('String'), label('Second Key'), unique(true), max_length(40) ),
  Field fixed__c ( type('String'), label('Fixed'), unique(true), editable(false) ),
  Field number__c ( type('Number'), label('Number'), min_value(-1000000000000000000) ),
  Field ratio__c ( type('Number'), label('Ratio'), scale(2) ),
  Field yes__c ( type('Boolean'), label('Yes') ),
  Field day__c ( type('Date'), label('Day') ),
  Field moment__c ( type('DateTime'), label('Moment') ),
  Field text__c ( type('String'), label('Text'), max_length(10) ),
  Field size__c ( type('Picklist'), label('Size'), picklist('Picklist.size__c') ),
  Field sizes__c ( type('Picklist'), label('Sizes'), picklist('Picklist.size__c'), multi_value(true) ),
  Field retired__c ( type('String'), label('Retired'), active(false) ),
  Field owner__c ( type('Object'), label('Owner'), object('Object.owner__c') ),
  Field link__c ( type('Object'), label('Link'), object('Object.connection__sys') ) );
RECREATE Object part__c ( label('Part'), prefix('ZPT'),
  Field owner__c ( type('Object'), label('Owner'), object('Object.owner__c'), relationship_type('parent'),
    required(true), relationship_deletion('cascade') ) );
RECREATE Object note__c ( label('Note'), prefix('ZNO'), Field name__v ( system_managed_name(true), unique(true) ),
  Field part__c ( type('Object'), label('Part'), object('Object.part__c') ),
  Field owner__c ( type('Object'), label('Owner'), object('Object.owner__c'), relationship_deletion('setnull') ) );
RECREATE Object kind__c ( label('Kind'), prefix('ZKI'), allow_types(true) );
RECREATE Objecttype kind__c.good__c ( label('Good') );
RECREATE Objecttype kind__c.better__c ( label('Better') );
"""

ITEMS = "/vobjects/item__c"
OWNERS = "/vobjects/owner__c"

_numbers = count(1)


def key() -> str:
    """A text that no other test uses."""
    return f"O-{next(_numbers)}"


def action(state: str, name: str) -> str:
    return f"Objectlifecyclestateuseraction.item__c.{state}.{name}"


async def owner(api: Api, **values: Any) -> str:
    return (
        await api.post(OWNERS, json=[{"name__v": "owner", "key__c": key(), **values}])
    ).ids[0]


async def items(api: Api, number: int, **values: Any) -> list[str]:
    rows = [{"name__v": "item", "key__c": key(), **values} for _ in range(number)]
    return (await api.post(ITEMS, json=rows)).ids


async def begin_block(api: Api, number: int) -> None:
    """Have the ids of the next ``number`` records follow one another: the Vault takes ids in blocks of 1,000."""
    (last,) = await items(api, 1)
    left = BLOCK - 1 - int(last[3:], 36) % BLOCK
    while 0 < left < number:
        made = min(left, MAX_ROWS)
        await items(api, made)
        left -= made


async def record(api: Api, object_name: str, record_id: str) -> dict[str, Any]:
    data: dict[str, Any] = (await api.get(f"/vobjects/{object_name}/{record_id}")).data
    return data


def outcomes(answer: Answer) -> list[str]:
    """The error type of each row, or its status if it has none."""
    return [
        row["errors"][0]["type"] if row.get("errors") else row["responseStatus"]
        for row in answer.data
    ]
