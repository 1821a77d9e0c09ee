"""Integration rules with previews: lists of both Vaults' fields, checks while typing, dry runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from yarl import URL

from shared.vault.admin.rule_pages import difference_of
from shared.vault.assembly.vault import Vault
from tests.service.vault.browsing import Browser, Page, browser
from tests.service.vault.connector_stub import ConnectorStub, connector_stub
from tests.service.vault.served import Api

RULE = "/ui/rules/medical_inquiries__v"
QUESTION = "question_v__c"
RECORD = "V4T000000000001"


@pytest.fixture
async def connector(
    api: Api, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ConnectorStub]:
    del api
    async with connector_stub(vault, monkeypatch) as made:
        made.succeed(
            "sources/objects",
            [{"name": "medical_inquiry__v", "label": "Medical Inquiry"}],
        )
        made.succeed(
            "sources/objects/medical_inquiry__v",
            {
                "name": "medical_inquiry__v",
                "label": "Medical Inquiry",
                "fields": [
                    {
                        "name": "account__v",
                        "label": "Account",
                        "type": "Object",
                        "object": "account__v",
                    },
                    {
                        "name": "inquiry_text__v",
                        "label": "Inquiry Text",
                        "type": "LongText",
                        "object": None,
                    },
                ],
            },
        )
        made.succeed(
            "sources/records/medical_inquiry__v",
            [{"id": RECORD, "name": "INQ-000042"}],
        )
        yield made


@pytest.fixture
async def visitor(api: Api) -> AsyncIterator[Browser]:
    async with browser(api.url, "admin") as made:
        made.jar.update_cookies({"vault_20202_session": "there"}, URL(made.url))
        yield made


# Without an error, with errors of a lookup and of a reference, and with a value of a picklist.
FIELDS: list[dict[str, Any]] = [
    {
        "field_rule": "request_question__v",
        "source_value": "Is it safe?",
        "reference_lookup": None,
        "target_object": "case_request__v",
        "target_field": "question__v",
        "target_value": "Is it safe?",
        "error": None,
    },
    {
        "field_rule": "priority__v",
        "source_value": ["owl__v"],
        "reference_lookup": "delivery_method_to_priority__v",
        "target_object": "case_request__v",
        "target_field": "priority__v",
        "target_value": None,
        "error": "The lookup has no row for <owl__v>",
    },
    {
        "field_rule": "case_priority__v",
        "source_value": "email__v",
        "reference_lookup": "delivery_method_to_priority__v",
        "target_object": "case__v",
        "target_field": "priority__v",
        "target_value": "normal__v",
        "error": None,
    },
    {
        "field_rule": "request_product__v",
        "source_value": "P-1",
        "reference_lookup": None,
        "target_object": "case_request__v",
        "target_field": "product__v",
        "target_value": None,
        "error": "Integration rule medical_inquiries__v, field rule request_product__v, target field"
        " case_request__v.product__v: no product__v with external_id__v P-1 exists in the target Vault",
    },
]


def previewed(**parts: Any) -> list[dict[str, Any]]:
    return [
        {
            "id": RECORD,
            "result": "failed",
            "error": {"type": "reference_lookup_error__sys", "message": "It fails"},
            "warning": None,
            "rules": [
                {
                    "rule": "medical_inquiries__v",
                    "object": "medical_inquiry__v",
                    "id": RECORD,
                    "fields": FIELDS,
                }
            ],
            "findings": [],
            "writes": [
                {"object": "case__v", "event": "created", "vault_id": 10101},
            ],
            **parts,
        }
    ]


async def part_form(visitor: Browser, name: str = "") -> Page:
    return await visitor.open(f"{RULE}/Fieldrule{f'/{name}' if name else ''}")


def offered(page: Page, name: str) -> bool:
    """Whether the page lists a value to choose from."""
    return any(
        tag == "option" and given.get("value") == name for tag, given in page.tags
    )


async def test_the_form_offers_objects_and_fields_of_both_vaults(
    visitor: Browser, connector: ConnectorStub
) -> None:
    page = await visitor.press(
        await part_form(visitor),
        "Check",
        query_object="medical_inquiry__v",
        target_object="case_request__v",
    )
    assert page.status == 200
    assert offered(page, "medical_inquiry__v") and offered(page, "documents")
    assert (
        offered(page, "inquiry_text__v") and "Account (Object account__v)" in page.html
    )
    assert offered(page, "case_request__v") and offered(page, "question__v")
    assert offered(page, "delivery_method_to_priority__v")
    # What is typed stays, and nothing is saved.
    assert page.form("Save").fields["query_object"] == "medical_inquiry__v"
    assert connector.asked


async def test_what_is_typed_is_checked_before_it_is_saved(
    visitor: Browser, connector: ConnectorStub, admin: Api
) -> None:
    del connector
    page = await part_form(visitor)
    typed = {
        "part_name": QUESTION,
        "target_object": "case_request__v",
        "target_object_field": "nothing__v",
        "query_object": "medical_inquiry__v",
        "query_field": "inquiry_text__v",
    }
    wrong = await visitor.press(page, "Check", **typed)
    assert "It cannot be saved like this" in wrong.text and "nothing__v" in wrong.text
    right = await visitor.press(
        wrong, "Check", **{**typed, "target_object_field": "question__v"}
    )
    assert "It can be saved." in right.text
    # Two rules for one field: it may be saved, and is warned of.
    assert "question__v" in right.text
    rule = await admin.get("/configuration/Integrationrule.medical_inquiries__v")
    assert QUESTION not in rule.text


async def test_the_preview_is_shown_next_to_the_typed_rule(
    visitor: Browser, connector: ConnectorStub
) -> None:
    connector.succeed("previews", previewed())
    page = await part_form(visitor)
    typed = {
        "part_name": QUESTION,
        "target_object": "case_request__v",
        "target_object_field": "question__v",
        "query_object": "medical_inquiry__v",
        "query_field": "inquiry_text__v",
        "record": "INQ-000042",
    }
    page = await visitor.press(page, "Check", **typed)
    assert "Would fail" in page.text and "Is it safe?" in page.text
    assert "The lookup has no row for <owl__v>" in page.text
    # People read labels; the names stand behind them, for those who write rules.
    assert "Case Request: Question case_request__v question__v" in page.text
    assert "Normal normal__v Case: Case Priority case__v priority__v" in page.text
    assert "No Product with External ID P-1 exists in the target Vault" in page.text
    (question,) = [body for body in connector.bodies if body and "rule" in body]
    assert question["ids"] == [RECORD] and question["source"] == 20202
    # The rule as it is typed, not as it is stored.
    parts = {each["name"]: each for each in question["rule"]["Fieldrule"]}
    assert parts[QUESTION]["query_field"] == "inquiry_text__v"


async def test_without_the_connector_a_rule_can_still_be_edited(
    visitor: Browser, vault: Vault, monkeypatch: pytest.MonkeyPatch, api: Api
) -> None:
    del api
    async with connector_stub(vault, monkeypatch):
        page = await part_form(visitor)
    assert page.status == 200
    assert "Objects and fields of the other Vault cannot be listed now" in page.text
    assert offered(page, "case_request__v")


async def test_a_saved_rule_is_previewed_with_a_record_one_picks(
    visitor: Browser, connector: ConnectorStub
) -> None:
    connector.succeed("previews", previewed(result="created", error=None))
    page = await visitor.click(await visitor.open(RULE), "Preview")
    typed = await visitor.press(page, "Preview", record="INQ-000042")
    assert "name or id, Medical Inquiry medical_inquiry__v" in typed.text
    assert "Inquiry Text inquiry_text__v" in typed.text
    assert "Would be created" in typed.text and not typed.url.query
    page = await visitor.click(page, "INQ-000042")
    assert (
        "Would be created" in page.text
        and "Case case__v created in Vault 10101" in page.text
    )
    assert page.url.query["record"] == RECORD


@pytest.mark.parametrize(
    ("type", "message"),
    [("INSUFFICIENT_ACCESS", "In Vault 20202 you may not read what this shows")],
)
async def test_a_caller_who_may_not_read_the_record_is_refused(
    visitor: Browser, connector: ConnectorStub, type: str, message: str
) -> None:
    connector.refuse("previews", type, message)
    page = await visitor.open(f"{RULE}/preview?record={RECORD}")
    assert page.status == 200 and message in page.text


async def test_without_a_session_there_no_record_is_asked_for(
    api: Api, connector: ConnectorStub
) -> None:
    async with browser(api.url, "admin") as stranger:
        page = await stranger.open(f"{RULE}/preview?record={RECORD}")
        assert "in another tab of this browser" in page.text
        page = await stranger.open(f"{RULE}/Fieldrule")
        assert "in another tab of this browser" in page.text
    paths = {asked.url.path for asked in connector.asked}
    assert not any("records" in path or "previews" in path for path in paths)


async def test_a_dry_run_counts_what_a_run_would_do(
    visitor: Browser, connector: ConnectorStub, admin: Api
) -> None:
    where = "WHERE integration_api_name__sys = 'medical_inquiry_details__v'"
    rows = await admin.query(f"SELECT id FROM integration__sys {where}")
    failure = {
        "id": RECORD,
        "type": "rule_error__sys",
        "message": "Integration rule a__v, field rule b__v, target field case__v.c__v: case__v is too long",
        "rule": "medical_inquiries__v",
        "field_rule": "request_question__v",
        "target_field": "question__v",
    }
    found = {
        "read": 4,
        "written": 2,
        "skipped": 1,
        "failed": 1,
        "complete": True,
        "writes": {"case__v": {"created": 2}},
        "failures": [failure],
        "missing_lookups": [{}],
    }
    connector.succeed("dry-runs", found)
    page = await visitor.open(f"/ui/integrations/{rows.data[0]['id']}")
    page = await visitor.click(page, "Dry run")
    assert connector.asked == []
    page = await visitor.press(page, "Start dry run", since="2026-01-31T08:30")
    assert "4 read 2 written 1 skipped 1 failed" in page.text
    assert "Case 2 created" in page.text and "Case is too long" in page.text
    assert "field rule" not in page.text
    assert page.links["Preview"] == f"{RULE}/preview?record={RECORD}"
    assert connector.asked[0].query_params["since"] == "2026-01-31T08:30"


async def test_a_rule_shows_its_mdl_and_how_it_differs_from_the_delivered_one(
    visitor: Browser,
) -> None:
    page = await visitor.open(RULE)
    assert "RECREATE Integrationrule medical_inquiries__v" in page.text
    assert "Difference to the delivered rule" in page.text


@pytest.mark.parametrize(
    ("delivered", "present", "shown"),
    [
        ("a\nb\nc", "a\nb\nc", []),
        (
            "a\nb\nc",
            "a\nx\nc",
            [("", "a"), ("removed", "b"), ("added", "x"), ("", "c")],
        ),
        ("a", "a\n-- b", [("", "a"), ("added", "-- b")]),
    ],
)
def test_the_lines_that_differ(
    delivered: str, present: str, shown: list[tuple[str, str]]
) -> None:
    assert difference_of(delivered, present) == shown
