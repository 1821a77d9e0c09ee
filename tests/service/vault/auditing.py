"""An audited object, and the calls by which tests change its records and read the audit trails."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.vault.served import Api

MDL = """
RECREATE Object audited__c ( label('Audited'), prefix('ZAU'),
  Field text__c ( type('String'), label('Text'), max_length(100) ),
  Field long__c ( type('LongText'), label('Long'), max_length(32000) ),
  Field day__c ( type('Date'), label('Day') ),
  Field parent__c ( type('Object'), label('Parent'), object('Object.audited__c'), relationship_deletion('cascade') ),
  Field friend__c ( type('Object'), label('Friend'), object('Object.audited__c'), relationship_deletion('setnull') ) );
RECREATE Object silent__c ( label('Silent'), prefix('ZSI'), audit(false),
  Field text__c ( type('String'), label('Text'), max_length(100) ) );
"""
RECORDS = "/vobjects/audited__c"


@pytest.fixture(scope="module", autouse=True)
async def audited(admin: Api) -> None:
    assert (await admin.post("/api/mdl/execute", data=MDL)).status == "SUCCESS"


async def trail_of(
    admin: Api, record: str, object_name: str = "audited__c"
) -> list[dict[str, Any]]:
    answer = await admin.get(f"/vobjects/{object_name}/{record}/audittrail")
    assert answer.status == "SUCCESS", answer.text
    rows: list[dict[str, Any]] = answer.data
    return rows


async def made(client: Api, **fields: object) -> str:
    (record,) = (await client.post(RECORDS, json=[{"name__v": "one", **fields}])).ids
    return str(record)


async def latest(admin: Api, trail: str, **filters: str) -> dict[str, Any]:
    asked = {"limit": "1", **filters}
    answer = await admin.get(f"/audittrail/{trail}", params=asked)
    row: dict[str, Any] = answer.data[0]
    return row
