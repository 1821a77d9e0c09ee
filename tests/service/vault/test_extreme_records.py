"""Dates and numbers at the ends of their ranges are accepted, or refused clearly, by records, queries and pages."""

from __future__ import annotations

import pytest

from tests.service.vault.browsing import browser
from tests.service.vault.served import Api
from tests.service.vault.test_extreme_values import (
    DATES,
    MOMENTS,
    NUMBERS,
    TEXTS,
    is_fault,
)

OBJECT = "extreme__c"
MDL = f"""
RECREATE Object {OBJECT} ( label('Extreme'), prefix('ZXT'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field day__c ( type('Date'), label('Day') ),
  Field moment__c ( type('DateTime'), label('Moment') ),
  Field amount__c ( type('Number'), label('Amount'), scale(2) ) );
"""
FIELDS = ("day__c", "moment__c", "amount__c")
MIGRATION = {"X-VaultAPI-MigrationMode": "true"}
LAST = MOMENTS[1]
# Numbers as JSON has them.
RAW_NUMBERS = (*NUMBERS, "-9223372036854775809", "1e308", "1e-400", "0.1e3")


@pytest.fixture(scope="module")
async def extreme(admin: Api) -> Api:
    answer = await admin.post("/api/mdl/execute", data=MDL)
    assert answer.status == "SUCCESS", answer.text
    return admin


async def test_fields_of_records(extreme: Api) -> None:
    for name in FIELDS:
        for value in TEXTS:
            sent = await extreme.post(
                f"/vobjects/{OBJECT}", json=[{"name__v": "x", name: value}]
            )
            assert not is_fault(sent), (name, value[:40])
            cell = f"name__v,{name}\nx,{value}\n"
            headers = {"Content-Type": "text/csv"}
            sent = await extreme.post(f"/vobjects/{OBJECT}", data=cell, headers=headers)
            assert not is_fault(sent), (name, value[:40])
        for number in RAW_NUMBERS:
            sent = await extreme.post(
                f"/vobjects/{OBJECT}",
                data=f'[{{"name__v": "x", "{name}": {number}}}]',
                headers={"Content-Type": "application/json"},
            )
            assert not is_fault(sent), (name, number[:40])
    read = await extreme.query(f"SELECT id, {', '.join(FIELDS)} FROM {OBJECT}")
    assert read.status == "SUCCESS"
    assert LAST in {row["moment__c"] for row in read.data}


async def test_a_record_of_the_last_moment_is_changed_and_read(extreme: Api) -> None:
    row = {"name__v": "last", "created_date__v": LAST, "modified_date__v": LAST}
    made = await extreme.post(f"/vobjects/{OBJECT}", json=[row], headers=MIGRATION)
    place = f"/vobjects/{OBJECT}/{made.ids[0]}"
    for day in ("2025-01-01", "2025-01-02"):
        changed = await extreme.put(place, json={"day__c": day})
        assert changed.status == "SUCCESS"
    read = await extreme.get(place)
    assert read.data["modified_date__v"] == LAST
    trail = await extreme.get(f"{place}/audittrail")
    assert trail.status == "SUCCESS"


async def test_a_source_state_of_the_last_moment(
    extreme: Api, integration: Api
) -> None:
    name = "source_modified_date__sys"
    for amount, moment in enumerate((MOMENTS[0], LAST, LAST, MOMENTS[2], LAST)):
        row = {"name__v": "s", "key__c": "s", "amount__c": amount // 2, name: moment}
        sent = await integration.post(f"/vobjects/{OBJECT}?idParam=key__c", json=[row])
        assert not is_fault(sent), moment
    read = await extreme.query(f"SELECT {name} FROM {OBJECT} WHERE key__c = 's'")
    assert read.data == [{name: LAST}]


async def test_reports_of_deliveries(extreme: Api, integration: Api) -> None:
    queue = "medical_crm_outbound_queue__v"
    for moment in (*MOMENTS, *DATES):
        for name in ("queue_time", "send_time"):
            row = {
                "message_id": "m",
                "connection_name": "medical_crm__v",
                "queue_time": "2025-01-01T00:00:00Z",
                "send_time": "2025-01-01T00:00:00Z",
                "attempts": 1,
                "error": "e",
                name: moment,
            }
            sent = await integration.post(
                f"/services/queues/{queue}/deliveries", json=[row]
            )
            assert not is_fault(sent), (name, moment)
    for path in (
        "/services/queues",
        f"/services/queues/{queue}",
        "/services/queue_logs",
    ):
        assert not is_fault(await extreme.get(path))


CONDITIONS = [
    *(f"day__c {operator} '{day}'" for operator in ("=", "<", ">=") for day in DATES),
    *(f"moment__c {operator} '{each}'" for operator in ("=", ">") for each in MOMENTS),
    *(f"amount__c {operator} {each}" for operator in ("=", "<") for each in NUMBERS),
    "amount__c = 1e400",
    *(
        f"moment__c < {unit}:{count}"
        for unit in (
            "LAST_DAYS",
            "NEXT_DAYS",
            "DAYS_AGO",
            "LAST_MONTHS",
            "NEXT_MONTHS",
            "LAST_YEARS",
            "NEXT_YEARS",
            "YEARS_AGO",
            "NEXT_QUARTERS",
        )
        for count in ("0", "9999", "99999", *NUMBERS[1:])
    ),
    *(
        f"day__c = {unit}:{count}"
        for unit in ("NEXT_YEARS", "LAST_YEARS")
        for count in ("500", "9999")
    ),
]
CLAUSES = [
    *(
        f"{clause} {number}"
        for clause in ("MAXROWS", "SKIP", "PAGESIZE", "PAGEOFFSET", "LIMIT", "OFFSET")
        for number in NUMBERS
    ),
]


async def test_conditions_and_clauses_of_queries(extreme: Api) -> None:
    for condition in CONDITIONS:
        answer = await extreme.query(f"SELECT id FROM {OBJECT} WHERE {condition}")
        assert not is_fault(answer), condition[:80]
    for clause in CLAUSES:
        answer = await extreme.query(f"SELECT id FROM {OBJECT} {clause}")
        assert not is_fault(answer), clause[:80]


ATTRIBUTES = ("max_length", "min_value", "max_value", "scale", "order")


@pytest.mark.parametrize("attribute", ATTRIBUTES)
async def test_attributes_of_components(extreme: Api, attribute: str) -> None:
    kind = "String" if attribute == "max_length" else "Number"
    for value in (*RAW_NUMBERS, "1e400", "0"):
        for written in (value, f"'{value}'"):
            mdl = (
                f"ALTER Object {OBJECT} ( add Field x_{attribute}__c"
                f" ( type('{kind}'), label('X'), {attribute}({written}) ) );"
            )
            answer = await extreme.post("/api/mdl/execute", data=mdl)
            assert not is_fault(answer), (written[:40], answer.text[:300])
            drop = f"ALTER Object {OBJECT} ( drop Field x_{attribute}__c );"
            assert not is_fault(await extreme.post("/api/mdl/execute", data=drop))


PLACES = (
    "/ui/queue-log/{}",
    "/ui/queue-log/2025-01-01?after={}",
    "/ui/jobs/{}",
    "/ui/jobs?page={}",
    "/ui/exceptions?page={}",
    "/ui/exceptions/{}",
    "/ui/integrations/{}",
    "/ui/integrations/none/runs/{}",
    "/ui/connections/{}",
    f"/ui/objects/{OBJECT}?page={{}}",
    f"/ui/objects/{OBJECT}/{{}}",
)


async def test_addresses_of_pages(api: Api, extreme: Api) -> None:
    async with browser(api.url, "admin") as visitor:
        for place in PLACES:
            for value in TEXTS:
                page = await visitor.open(place.format(value))
                assert page.status < 500, (place, value[:40])
        read = await extreme.query(f"SELECT id FROM {OBJECT}")
        for row in read.data:
            for place in ("", "/edit"):
                page = await visitor.open(f"/ui/objects/{OBJECT}/{row['id']}{place}")
                assert page.status == 200
