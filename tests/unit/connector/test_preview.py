"""Previews and dry runs: the results of transfers, without a write."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, cast

import pytest
from fastapi import FastAPI

from services.connector.asking.access import MANAGE_INTEGRATIONS
from services.connector.asking.answers import Answers
from services.connector.points.planned_writes import PlannedWrites, column
from services.connector.preview import preview_routes, sweep, sweep_routes
from shared.client.results import Row
from tests.unit.connector.asgi import Reply, application, call
from tests.unit.connector.example_records import (
    ACCOUNT,
    CASE,
    INQUIRIES,
    INQUIRY,
    PERSON,
    REQUEST,
    account,
    contact,
    inquiries,
    inquiry,
)
from tests.unit.connector.messages import envelope, handle
from tests.unit.connector.standard_vaults import CONNECTION, CRM_ID, Pair, pair, product
from tests.unit.connector.test_asking import BOTH_SESSIONS, signed_in

INTEGRATION = "medical_inquiry_details__v"


@pytest.fixture
def vaults() -> Pair:
    made = pair()
    signed_in(made.medical, MANAGE_INTEGRATIONS)
    made.crm.users["another-session"] = {"security_profile__v": "business__c"}
    return made


def app_of(vaults: Pair) -> FastAPI:
    answers = Answers(lambda: vaults.vaults)
    return application(preview_routes.router(answers), sweep_routes.router(answers))


async def previewed(vaults: Pair, *ids: str, **asked: Any) -> Reply:
    body = {"ids": ids, "integration_point": INQUIRIES, **asked}
    named = {name: value for name, value in body.items() if value is not None}
    return await call(
        app_of(vaults),
        "POST",
        "/previews/medical",
        headers=BOTH_SESSIONS,
        body=json.dumps(named).encode(),
    )


async def got(vaults: Pair, path: str, query: str = "") -> Reply:
    return await call(app_of(vaults), "GET", path, query=query, headers=BOTH_SESSIONS)


# Previews.


async def test_the_question_of_nobody_is_not_read(vaults: Pair) -> None:
    reply = await call(
        app_of(vaults), "POST", "/previews/medical", headers={}, readable=False
    )
    assert reply.error[0] == "INVALID_SESSION_ID"


async def test_a_preview_says_what_would_be_written_and_writes_nothing(
    vaults: Pair,
) -> None:
    item = inquiry(vaults.crm, account(vaults.crm))
    (shown,) = (await previewed(vaults, item)).json["data"]
    assert (shown["id"], shown["result"], shown["error"]) == (item, "created", None)
    writes = [(write["object"], write["event"]) for write in shown["writes"]]
    assert {(PERSON, "created"), (CASE, "created"), (REQUEST, "created")} < set(writes)
    assert writes[-1] == (INQUIRY, "updated")
    assert (vaults.medical.written, vaults.crm.written) == ([], [])


async def test_a_preview_shows_each_field_of_each_rule(vaults: Pair) -> None:
    item = inquiry(vaults.crm, account(vaults.crm), delivery_method__v="email__v")
    (shown,) = (await previewed(vaults, item)).json["data"]
    rule = next(each for each in shown["rules"] if each["object"] == INQUIRY)
    fields = {each["field_rule"]: each for each in rule["fields"]}
    assert fields["case_priority__v"] == {
        "field_rule": "case_priority__v",
        "source_value": ["email__v"],
        "reference_lookup": "delivery_method_to_priority__v",
        "target_object": CASE,
        "target_field": "priority__v",
        "target_value": "normal__v",
        "error": None,
    }
    assert fields["request_product__v"]["target_value"] == product(
        vaults.medical, "P-1"
    )


async def test_a_preview_of_what_has_changed_shows_stored_and_new(
    vaults: Pair,
) -> None:
    of = account(vaults.crm)
    item = inquiry(vaults.crm, of)
    await inquiries(vaults, item)
    vaults.crm.change(ACCOUNT, of, last_name_cda__v="Ray")
    reply = await previewed(vaults, of, integration_point="account_inbound__v", object=ACCOUNT)  # fmt: skip
    (shown,) = reply.json["data"]
    assert shown["result"] == "updated"
    (person,) = [write for write in shown["writes"] if write["object"] == PERSON]
    assert person["changes"] == {"last_name__sys": {"stored": "Lee", "new": "Ray"}}


async def test_a_preview_of_what_is_stored_already_is_unchanged(vaults: Pair) -> None:
    of = account(vaults.crm)
    await inquiries(vaults, inquiry(vaults.crm, of))
    reply = await previewed(vaults, of, integration_point="account_inbound__v", object=ACCOUNT)  # fmt: skip
    (shown,) = reply.json["data"]
    assert shown["result"] == "unchanged"


async def test_a_preview_says_why_a_record_would_fail(vaults: Pair) -> None:
    item = inquiry(vaults.crm, account(vaults.crm, specialty_1__v="alchemy__v"))
    (shown,) = (await previewed(vaults, item)).json["data"]
    assert shown["result"] == "failed"
    assert shown["error"]["type"] == "reference_lookup_error__sys"
    errors = [f["error"] for rule in shown["rules"] for f in rule["fields"] if f["error"]]  # fmt: skip
    assert len(errors) == 1


async def test_a_record_that_would_be_left_out_is_skipped(vaults: Pair) -> None:
    of = account(vaults.crm, "CH")
    reply = await previewed(vaults, of, integration_point="account_inbound__v", object=ACCOUNT)  # fmt: skip
    assert reply.json["data"][0]["result"] == "skipped"


async def test_each_record_is_previewed_as_if_it_came_alone(vaults: Pair) -> None:
    of = account(vaults.crm)
    items = [inquiry(vaults.crm, of) for _ in range(2)]
    shown = (await previewed(vaults, *items, items[0])).json["data"]
    assert [each["id"] for each in shown] == items
    assert [each["result"] for each in shown] == ["created", "created"]


async def test_a_saved_rule_is_previewed_by_name(vaults: Pair) -> None:
    item = inquiry(vaults.crm, account(vaults.crm))
    reply = await previewed(
        vaults, item, rule="medical_inquiries__v", integration_point=None
    )
    assert reply.json["data"][0]["result"] == "created"


async def test_a_rule_that_is_not_saved_is_previewed_in_place_of_its_namesake(
    vaults: Pair,
) -> None:
    rules = await vaults.medical.configuration("Integrationrule")
    (rule,) = [each for each in rules if each["name"] == "medical_inquiries__v"]
    parts = [dict(each) for each in cast("list[Row]", rule["Fieldrule"])]
    for part in parts:
        if part["name"] == "case_priority__v":
            part |= {"reference_lookup": None, "reference_lookup_type": None}
            part |= {"query_object": None, "query_field": None, "field_default": "high__v"}  # fmt: skip
            part["missing_lookup"] = None
    item = inquiry(vaults.crm, account(vaults.crm))
    changed = {**rule, "Fieldrule": parts}
    (shown,) = (await previewed(vaults, item, rule=changed)).json["data"]
    (case,) = [write for write in shown["writes"] if write["object"] == CASE]
    assert case["changes"]["priority__v"]["new"] == "high__v"


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"rule": "odd__c"}, "no integration rule odd__c"),
        ({"source": 30303}, "No connected Vault has the id"),
        ({"integration_point": "odd__c", "object": INQUIRY}, "does not exist"),
        ({"integration_point": None}, "Say which integration_point is meant"),
        ({"ids": []}, "[ids]"),
        ({"colour": "red"}, "[colour]"),
    ],
)
async def test_what_cannot_be_previewed_is_said(
    vaults: Pair, asked: dict[str, object], text: str
) -> None:
    kind, message = (await previewed(vaults, "V4T1", **asked)).error
    assert kind == "INVALID_DATA"
    assert text in message


# Noted writes.


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("country__v", "country__v"),
        ("country__v.code__v", "country__vr.code__v"),
        ("country__vr.code__v", "country__vr.code__v"),
    ],
)
def test_a_reference_by_key_is_read_as_a_path(name: str, expected: str) -> None:
    assert column(name) == expected


async def test_equal_moments_and_picklists_are_no_change(vaults: Pair) -> None:
    described = (await vaults.configuration(vaults.crm)).targets
    moment = "2026-01-31T12:00:00.000Z"
    values = {"closed_date__v": moment, "inquiry_status__v": ["closed__v"]}
    item = inquiry(vaults.crm, None, response__v="x" * 300, **values)
    planned = PlannedWrites(vaults.crm, described)
    row = {
        "id": item,
        "closed_date__v": "2026-01-31T13:00:00+01:00",
        "inquiry_status__v": "closed__v",
        "response__v": "x" * 300,
        "email__v": "",
    }
    await planned.update(INQUIRY, [row])
    assert [(write.event, dict(write.changes)) for write in planned.writes] == [
        ("unchanged", {})
    ]


async def test_what_is_no_moment_is_compared_as_it_is(vaults: Pair) -> None:
    described = (await vaults.configuration(vaults.crm)).targets
    item = inquiry(vaults.crm, None)
    planned = PlannedWrites(vaults.crm, described)
    await planned.update(INQUIRY, [{"id": item, "closed_date__v": "soon"}])
    assert planned.writes[0].changes == {"closed_date__v": (None, "soon")}
    assert planned.vault_id == CRM_ID


async def test_new_documents_are_noted(vaults: Pair) -> None:
    planned = PlannedWrites(vaults.medical, {})
    results = await planned.create_documents([{"name__v": "A"}], "link__sys")
    assert results[0].id == "new_1"
    assert planned.writes[0].to_json()["event"] == "created"


# Dry runs.


async def test_a_dry_run_counts_what_a_run_would_do(vaults: Pair) -> None:
    of = account(vaults.crm)
    account(vaults.crm, "CH")
    inquiry(vaults.crm, of)
    bad = inquiry(vaults.crm, account(vaults.crm, specialty_1__v="alchemy__v"))
    data = (await got(vaults, f"/dry-runs/medical/{INTEGRATION}")).json["data"]
    assert (data["read"], data["written"], data["failed"]) == (4, 2, 2)
    assert data["complete"] is True
    assert data["writes"][CASE] == {"created": 1}
    assert bad in {failure["id"] for failure in data["failures"]}
    assert data["missing_lookups"] == [
        {
            "reference_lookup_name__sys": "crm_specialty__v",
            "reference_lookup_type__sys": "object__sys",
            "target_object__sys": "specialty__v",
            "target_key_field__sys": "specialty_code__v",
            "source_key__sys": "alchemy__v",
            "count": 2,
        }
    ]
    assert (vaults.medical.written, vaults.crm.written) == ([], [])


async def test_a_dry_run_of_what_has_changed_since_a_moment(vaults: Pair) -> None:
    account(vaults.crm)
    for since in ("2026-06-01T00:00:00Z", "2026-06-01"):
        path = f"/dry-runs/medical/{INTEGRATION}"
        data = (await got(vaults, path, f"since={since}")).json["data"]
        assert data["read"] == 0


async def test_a_moment_that_is_none_is_refused(vaults: Pair) -> None:
    path = f"/dry-runs/medical/{INTEGRATION}"
    assert "[since]" in (await got(vaults, path, "since=soon")).error[1]


async def test_a_dry_run_ends_where_there_is_too_much(
    vaults: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "MAX_RECORDS", 1)
    for _ in range(2):
        inquiry(vaults.crm, account(vaults.crm))
    data = (await got(vaults, f"/dry-runs/medical/{INTEGRATION}")).json["data"]
    assert (data["read"], data["complete"]) == (0, False)


# Missing lookups.


async def test_missing_lookups_of_recorded_exceptions_are_listed(vaults: Pair) -> None:
    item = inquiry(vaults.crm, account(vaults.crm, specialty_1__v="alchemy__v"))
    await handle(vaults, envelope(item))
    vaults.crm.change(INQUIRY, item, transfer_status__v="failed__v")
    reply = await got(vaults, f"/missing-lookups/medical/{CONNECTION}")
    data = reply.json["data"]
    assert (data["read"], data["complete"]) == (1, True)
    (missing,) = data["missing_lookups"]
    assert missing["source_key__sys"] == "alchemy__v"


async def test_exceptions_that_say_no_object_are_passed_over(vaults: Pair) -> None:
    for data in ("nothing", "[]", "{}"):
        vaults.medical.add(
            "exception_item__sys",
            item__sys="V4T1",
            item_data__sys=data,
            error_type__sys="reference_lookup_error__sys",
            error_status__sys="open__sys",
        )
    reply = await got(vaults, f"/missing-lookups/medical/{CONNECTION}")
    assert reply.json["data"]["read"] == 0


async def test_missing_lookups_come_as_a_file_to_be_filled_in(vaults: Pair) -> None:
    contact(vaults.medical)
    account(vaults.crm, specialty_1__v="alchemy__v")
    query = f"format=csv&integration={INTEGRATION}"
    reply = await got(vaults, f"/missing-lookups/medical/{CONNECTION}", query)
    head, row = csv.reader(io.StringIO(reply.body.decode()))
    assert head == list(sweep_routes.COLUMNS)
    assert row == [
        CONNECTION,
        "crm_specialty__v",
        "object__sys",
        "specialty__v",
        "specialty_code__v",
        "alchemy__v",
        "",
    ]
