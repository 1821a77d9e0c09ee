"""A rule in the shape of the vendor's Spark sample: no primary query object, no unique key, a field of a parent."""

from __future__ import annotations

from shared.client.results import Row
from tests.system.conditions import Connected, eventually, new_run
from tests.system.messages import envelope, put_on_queue
from tests.system.test_rules import RETRY, item_of
from tests.system.test_transfer import create, one

POINT = "receive_cover__c"
SOURCE = """
RECREATE Object cover_maker__c (label('Maker'), prefix('ZWM'));
RECREATE Object cover_period__c (label('Period'), prefix('ZWP'));
RECREATE Object cover__c (label('Cover'), label_plural('Covers'), prefix('ZWC'),
  Field holder__c (label('Holder'), type('String'), max_length(128), required(true)),
  Field begins__c (label('Begins'), type('Date'), required(true)),
  Field extended__c (label('Extended'), type('Boolean'), checkbox(true)),
  Field maker__c (label('Maker'), type('Object'), object('cover_maker__c'),
    relationship_type('reference'), relationship_outbound_name('maker__cr')),
  Field cover_period__c (label('Period'), type('Object'), object('cover_period__c'),
    relationship_type('reference'), relationship_outbound_name('cover_period__cr')));
"""
TARGET = """
RECREATE Object claim_maker__c (label('Claim Maker'), prefix('ZWK'));
RECREATE Object claim_cover__c (label('Claim Cover'), prefix('ZWL'),
  Field name__v (label('Number'), system_managed_name(true), value_format('CC-{######}')),
  Field source_record__c (label('Source Record'), type('String'), max_length(30), unique(false)),
  Field holder__c (label('Holder'), type('String'), max_length(128)),
  Field start__c (label('Start'), type('Date')),
  Field info__c (label('Info'), type('String'), max_length(128)),
  Field maker__c (label('Maker'), type('Object'), object('claim_maker__c'),
    relationship_type('reference'), relationship_outbound_name('maker__cr')),
  Field plus__c (label('Plus'), type('Boolean')),
  Field duration__c (label('Duration'), type('String'), max_length(20)));
"""
WAYS = (
    ("source_record__c", "query_object('cover__c'), query_field('id')"),
    ("holder__c", "query_object('cover__c'), query_field('holder__c')"),
    ("start__c", "query_object('cover__c'), query_field('begins__c')"),
    ("info__c", "field_default('Made by the connection')"),
    (
        "maker__c",
        (
            "query_object('cover__c'), query_field('maker__c'),"
            " reference_lookup_type('object'), reference_lookup('cover_makers__c')"
        ),
    ),
    ("plus__c", "query_object('cover__c'), query_field('extended__c')"),
    ("duration__c", "query_object('cover_period__c'), query_field('name__v')"),
)
"""The seven fields of a target record, and where each comes from."""


def rule() -> str:
    parts = ", ".join(
        f"Fieldrule part_{number}__c (target_object('Object.claim_cover__c'),"
        f" target_object_field('Field.{field}'), {way})"
        for number, (field, way) in enumerate(WAYS, 1)
    )
    head = f"label('Covers'), active(true), integration_point('{POINT}'), connection('medical_crm__v')"
    return f"RECREATE Integrationrule covers__c ({head}, {parts});"


FIELDS = ", ".join(field for field, _ in WAYS)
ALL = f"SELECT id, {FIELDS} FROM claim_cover__c WHERE source_record__c = "


async def prepared(connected: Connected) -> None:
    await connected.crm.execute_mdl(SOURCE)
    await connected.medical.execute_mdl(TARGET + rule())
    integration = {
        "integration_api_name__sys": "covers__c",
        "name__v": "Covers",
        "connection__sysr.api_name__sys": "medical_crm__v",
        "status__v": "active__v",
    }
    await create(connected.medical, "integration__sys", integration)
    point = {
        "integration_point_api_name__sys": POINT,
        "name__v": "Covers",
        "integration__sysr.integration_api_name__sys": "covers__c",
        "direction__sys": "inbound__sys",
    }
    await create(connected.medical, "integration_point__sys", point)


async def lookup(connected: Connected, source: str, target: str) -> None:
    row = {
        "connection__sysr.api_name__sys": "medical_crm__v",
        "reference_lookup_name__sys": "cover_makers__c",
        "reference_lookup_type__sys": "object__sys",
        "source_key__sys": source,
        "target_key__sys": target,
        "target_object__sys": "claim_maker__c",
    }
    await create(connected.medical, "reference_lookup__sys", row)


async def test_a_rule_of_the_sample_moves_its_records(connected: Connected) -> None:
    run = new_run()
    await prepared(connected)
    crm, medical = connected.crm, connected.medical
    maker, other = [
        await create(crm, "cover_maker__c", {"name__v": f"{run} {n}"}) for n in "ab"
    ]
    known, further = [
        await create(medical, "claim_maker__c", {"name__v": f"{run} {n}"}) for n in "ab"
    ]
    await lookup(connected, maker, known)
    year = await create(crm, "cover_period__c", {"name__v": f"{run} year"})
    values: Row = {
        "name__v": run,
        "holder__c": "A Holder",
        "begins__c": "2026-03-01",
        "extended__c": True,
        "maker__c": maker,
        "cover_period__c": year,
    }
    cover = await create(crm, "cover__c", values)

    async def sent() -> None:
        body = envelope([cover], point=POINT, object_name="cover__c")
        await put_on_queue(connected, body.encode())

    async def shows(**expected: object) -> Row:
        async def there() -> bool:
            rows = (await medical.query(f"{ALL}'{cover}'")).rows
            return any(expected.items() <= row.items() for row in rows)

        await eventually(f"a claim cover with {', '.join(expected)}", there)
        return await one(medical, f"{ALL}'{cover}'")

    await sent()
    made = await shows(source_record__c=cover)
    assert made == {
        "id": made["id"],
        "source_record__c": cover,
        "holder__c": "A Holder",
        "start__c": "2026-03-01",
        "info__c": "Made by the connection",
        "maker__c": known,
        "plus__c": True,
        "duration__c": f"{run} year",
    }

    (result,) = await crm.update("cover__c", [{"id": cover, "holder__c": "B Holder"}])
    assert result.ok
    await sent()
    assert await shows(holder__c="B Holder") == made | {"holder__c": "B Holder"}

    change = {"id": cover, "maker__c": other, "extended__c": False}
    (result,) = await crm.update("cover__c", [change])
    assert result.ok
    await sent()
    item = await item_of(connected, cover)
    assert item["field_rule__sys"] == "part_5__c"
    assert (await one(medical, f"{ALL}'{cover}'"))["plus__c"] is True

    await lookup(connected, other, further)
    message = str(item["exception_message__sys"])
    await medical.run_action("exception_message__sys", message, RETRY)
    mended = await shows(plus__c=False)
    assert mended == made | {
        "holder__c": "B Holder",
        "maker__c": further,
        "plus__c": False,
    }
