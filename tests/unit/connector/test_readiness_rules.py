"""Rules that cannot work, and lookup rows without a target, by readiness and in previews."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from services.connector.asking.access import MANAGE_INTEGRATIONS
from services.connector.asking.answers import Answers
from services.connector.preview import preview_routes
from services.connector.readiness.ends import findings
from services.connector.readiness.findings import Finding
from services.connector.rules.mapped_values import MAX_FINDINGS
from services.connector.rules.rule_findings import RuleFinding
from shared.protocol.readiness_steps import ReadinessStep
from tests.unit.connector.asgi import application, call
from tests.unit.connector.example_records import ACCOUNT, account, inquiry
from tests.unit.connector.standard_vaults import (
    CONNECTION,
    CRM_ID,
    MEDICAL_ID,
    Pair,
    add_delivered_countries,
    pair,
)
from tests.unit.connector.test_asking import BOTH_SESSIONS, signed_in
from tests.unit.connector.test_point_general import (
    CUSTOM,
    DOCUMENT,
    LINKED,
    custom,
    rule,
)

SAMPLE = "sample__c"
PICKLIST = """RECREATE Picklist grade__c (label('Grade'),
    Picklistentry high__c (value('High')), Picklistentry low__c (value('Low')),
    Picklistentry old__c (value('Old'), active(false)));"""
OBJECT = """RECREATE Object sample__c (label('Sample'), prefix('ZQS'), allow_types(true),
    Field link__sys (unique(true)),
    Field code__c (label('Code'), type('String'), max_length(40), required(true)),
    Field lot__c (label('Lot'), type('String'), max_length(4)),
    Field grade__c (label('Grade'), type('Picklist'), picklist('Picklist.grade__c')),
    Field kept__c (label('Kept'), type('String'), max_length(40), editable(false)),
    Field amount__c (label('Amount'), type('Number')),
    Field product__c (label('Product'), type('Object'), object('Object.product__v')),
    Field warranty__c (label('Warranty'), type('String'), max_length(40)));
RECREATE Objecttype sample__c.small__c (label('Small'));"""

Expected = tuple[str | None, str | None, bool, str]
"""Field rule, target field, whether transfers are prevented, and words of the message."""


def onto(field: str, source: str = "", more: str = "", of: str = ACCOUNT) -> str:
    """One field rule; without ``source`` it has no query field."""
    target = f"target_object('Object.sample__c'), target_object_field('Field.{field}')"
    read = f", query_object('{of}'), query_field('{source}')" if source else ""
    return target + read + more


def default(value: str) -> str:
    return f", field_default('{value}')"


def looked_up(name: str, kind: str = "generic", more: str = "") -> str:
    attributes = f", reference_lookup('{name}'), reference_lookup_type('{kind}')"
    return attributes + more


KEY, CODE, NAME = (
    onto("link__sys", "global_id__sys"),
    onto("code__c", "external_id__v"),
    onto("name__v", "name__v"),
)
WHOLE = (KEY, CODE, NAME)
KEEP = ", empty_source('keep')"


def vaults_with(mdl: str) -> Pair:
    """Vaults with a custom object and this rule, and all delivered countries."""
    made = custom(PICKLIST + OBJECT + mdl)
    add_delivered_countries(made.medical)
    return made


async def listed(vaults: Pair) -> list[Finding]:
    async def consumed() -> str | None:
        return None

    return await findings(vaults.vaults, vaults.medical_end, CONNECTION, consumed)


async def of_rules(vaults: Pair) -> list[RuleFinding]:
    """The findings of a connection, all of which are about rules."""
    found = await listed(vaults)
    assert {(each.step, each.vault_id) for each in found} <= {
        (ReadinessStep.RULES, MEDICAL_ID)
    }
    return [each.of_rule for each in found if each.of_rule is not None]


def assert_found(found: Sequence[RuleFinding], expected: Sequence[Expected]) -> None:
    shown = [(each.field_rule, each.target_field, each.prevents_transfer) for each in found]  # fmt: skip
    assert shown == [each[:3] for each in expected], [each.message for each in found]
    for finding, (*_, words) in zip(found, expected, strict=True):
        assert words in finding.message
        assert finding.rule in finding.message


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (WHOLE, []),
        ((CODE, NAME), [(None, None, True, "gives sample__c a key")]),
        ((KEY, NAME), [(None, "code__c", True, "required and no field rule fills")]),
        (
            (*WHOLE, onto("created_date__v", "name__v")),
            [("f3__c", "created_date__v", True, "sets this field itself")],
        ),
        # What users may not edit is the connection's to write.
        ((*WHOLE, onto("kept__c", "name__v")), []),
        # Several field rules of one target field.
        (
            (*WHOLE, onto("lot__c", "name__v"), onto("lot__c", "external_id__v")),
            [("f4__c", "lot__c", False, "f3__c fills the field, too")],
        ),
        (
            (*WHOLE, *(onto("lot__c", "name__v") for _ in range(8))),
            [
                (f"f{n}__c", "lot__c", False, "the last one with a value decides")
                for n in range(4, 11)
            ],
        ),
        (
            (*WHOLE, onto("lot__c", "name__v"), onto("lot__c", "external_id__v", KEEP)),
            [],
        ),
        (
            (*WHOLE, onto("lot__c", more=default("x")), onto("lot__c", "name__v", KEEP)),
            [],
        ),
        (
            (*WHOLE, onto("lot__c", "name__v"), onto("lot__c", more=default("x"))),
            [("f3__c", "lot__c", False, "always replaced by that of the field rule f4__c")],
        ),
        # Lookup sets without a row.
        (
            (*WHOLE, onto("lot__c", "name__v", looked_up("none__c"))),
            [("f3__c", "lot__c", True, "none__c (generic) has no active row")],
        ),
        (
            (
                *WHOLE,
                onto("lot__c", "name__v", looked_up("none__c", more=", missing_lookup('warning')")),
            ),
            [("f3__c", "lot__c", False, "none__c (generic) has no active row")],
        ),
        # Defaults.
        (
            (*WHOLE, onto("grade__c", more=default("High"))),
            [("f3__c", "grade__c", True, "give the name of the value, high__c")],
        ),
        (
            (*WHOLE, onto("grade__c", "name__v", default("odd__c"))),
            [("f3__c", "grade__c", False, "has no value odd__c")],
        ),
        ((*WHOLE, onto("grade__c", more=default("low__c"))), []),
        ((*WHOLE, onto("object_type__v", more=default("small__c"))), []),
        (
            (*WHOLE, onto("object_type__v", more=default("tiny__c"))),
            [("f3__c", "object_type__v", True, "the list of object types has no value tiny__c")],
        ),
        (
            (
                *WHOLE,
                onto("product__c", more=default("P-9") + ", target_field_lookup('external_id__v')"),
            ),
            [("f3__c", "product__c", True, "no product__v with external_id__v P-9")],
        ),
    ],
)  # fmt: skip
async def test_what_cannot_work_is_found(
    fields: tuple[str, ...], expected: list[Expected]
) -> None:
    assert_found(await of_rules(vaults_with(rule(*fields))), expected)


@pytest.mark.parametrize(
    ("target", "kind", "key", "words"),
    [
        ("grade__c", "picklist", "high__c", None),
        ("grade__c", "picklist", "High", "High is a label of picklist grade__c"),
        ("grade__c", "picklist", "odd__c", "picklist grade__c has no value odd__c"),
        ("grade__c", "picklist", "old__c", "old__c of picklist grade__c is inactive"),
        ("amount__c", "generic", "12", None),
        ("amount__c", "generic", "many", "not a number"),
        ("lot__c", "generic", "long lot", "8 characters and the field takes 4"),
        ("product__c", "object", "P-1", None),
        ("product__c", "object", "P-9", "no product__v with external_id__v P-9 exists"),
        ("product__c", "object", "P-0", "external_id__v P-0 is inactive"),
    ],
)
async def test_a_lookup_row_whose_target_key_the_field_does_not_take_is_found(
    target: str, kind: str, key: str, words: str | None
) -> None:
    part = onto(target, "credentials__v", looked_up("set__c", kind))
    vaults = vaults_with(rule(*WHOLE, part))
    vaults.medical.add("product__v", external_id__v="P-0", status__v="inactive__v")
    add_row(vaults, kind, "a", key)
    found = await of_rules(vaults)
    assert_found(found, [("f3__c", target, False, words)] if words else [])
    for finding in found:
        assert finding.reference_lookup == "set__c"
        assert (finding.source_key, finding.target_key) == ("a", key)


async def test_a_key_field_that_the_target_does_not_have_is_found() -> None:
    part = onto("product__c", "credentials__v", looked_up("set__c", "object"))
    vaults = vaults_with(rule(*WHOLE, part))
    add_row(vaults, "object", "a", "P-1", key_field="no_such__c")
    words = "cannot find product__v by no_such__c"
    assert_found(await of_rules(vaults), [("f3__c", "product__c", False, words)])


async def test_of_many_rows_that_do_not_fit_some_are_named_and_all_counted() -> None:
    part = onto("grade__c", "credentials__v", looked_up("set__c", "picklist"))
    vaults = vaults_with(rule(*WHOLE, part))
    for number in range(MAX_FINDINGS + 3):
        add_row(vaults, "picklist", f"a{number}", "odd__c")
    found = await of_rules(vaults)
    assert len(found) == MAX_FINDINGS + 1
    assert "3 more rows" in found[-1].message


def add_row(
    vaults: Pair, kind: str, source: str, target: str, key_field: str = "external_id__v"
) -> None:
    """Add a row to the lookup set ``set__c``."""
    (connection,) = vaults.medical.rows("connection__sys", "id")
    of_object = kind == "object"
    vaults.medical.add(
        "reference_lookup__sys",
        connection__sys=connection["id"],
        reference_lookup_name__sys="set__c",
        reference_lookup_type__sys=f"{kind}__sys",
        target_object__sys="product__v" if of_object else None,
        target_key_field__sys=key_field if of_object else None,
        source_key__sys=source,
        target_key__sys=target,
    )


PRIMARY = ", primary_query_object('account__v')"


async def test_a_field_rule_that_no_evaluation_with_a_key_reads_is_found() -> None:
    elsewhere = onto("warranty__c", "email__v", of="medical_inquiry__v")
    mdl = rule(*WHOLE, elsewhere).replace(PRIMARY, "")
    # What only adds to the records of the first query object is read by its relationship.
    assert await of_rules(vaults_with(mdl)) == []
    further = onto("name__v", "name__v", of="medical_inquiry__v")
    further = further.replace("Object.sample__c", "Object.country__v")
    mdl = rule(*WHOLE, elsewhere, further).replace(PRIMARY, "")
    words = "never evaluated for account__v, only for messages about medical_inquiry__v"
    expected = [
        ("f3__c", "warranty__c", False, words),
        ("f4__c", "name__v", False, words),
    ]
    assert_found(await of_rules(vaults_with(mdl)), expected)


async def test_query_objects_of_a_rule_without_a_primary_one_may_share_targets() -> (
    None
):
    other = "medical_inquiry__v"
    fields = (
        *WHOLE,
        onto("link__sys", "global_id__sys", of=other),
        onto("code__c", "group_identifier__v", of=other),
        onto("name__v", "name__v", of=other),
    )
    mdl = rule(*fields).replace(PRIMARY, "")
    assert await of_rules(vaults_with(mdl)) == []
    # A field rule without a query object is evaluated with each of them, and found once.
    odd = onto("grade__c", more=default("odd__c"))
    mdl = rule(*fields, odd).replace(PRIMARY, "")
    words = "has no value odd__c"
    expected = [("f6__c", "grade__c", True, words)]
    assert_found(await of_rules(vaults_with(mdl)), expected)


async def test_a_rule_that_fills_documents_needs_what_a_document_needs() -> None:
    assert await of_rules(vaults_with(rule(*DOCUMENT))) == []
    without_name = [part for part in DOCUMENT if "name__v')," not in part]
    assert_found(
        await of_rules(vaults_with(rule(*without_name))),
        [(None, "name__v", True, "required")],
    )


async def test_rows_that_are_linked_by_the_connector_need_no_field_rule() -> None:
    assert await of_rules(vaults_with(rule(*LINKED))) == []


async def test_a_record_that_another_rule_makes_may_lack_what_that_rule_fills() -> None:
    more = rule(KEY, NAME).replace("custom__c (label", "more__c (label")
    found = await of_rules(vaults_with(rule(*WHOLE) + more))
    assert_found(found, [(None, "code__c", False, "required")])


async def test_a_rule_that_makes_no_record_needs_none_of_its_required_fields() -> None:
    fields = (onto("global_id__sys", "link__sys"), onto("lot__c", "name__v"))
    assert await of_rules(vaults_with(rule(*fields))) == []


async def test_what_a_point_itself_needs_no_other_rule_can_give() -> None:
    of_country = rule(KEY, NAME).replace("sample__c", "connection_country__v")
    without = "ALTER Integrationrule connection_country__v (MODIFY Fieldrule link__v (active(false)));"
    found = await of_rules(vaults_with(of_country + without))
    assert [each.prevents_transfer for each in found if each.target_field == "link__sys"] == [True]  # fmt: skip


POINTS = [
    (
        """ALTER Integrationrule medical_inquiries__v (ADD Fieldrule odd__c (
            target_object('Object.product__v'), target_object_field('Field.name__v'), field_default('x')));""",
        ("odd__c", "name__v", False, "does not write product__v"),
    ),
    (
        "ALTER Integrationrule connection_country__v (MODIFY Fieldrule link__v (active(false)));",
        (None, "link__sys", True, "required"),
    ),
    (
        "ALTER Integrationrule crm_product__v (MODIFY Fieldrule name__v (active(false)));",
        (None, "name__v", True, "required"),
    ),
]


@pytest.mark.parametrize(("mdl", "expected"), POINTS)
async def test_points_with_code_of_their_own_have_needs_of_their_own(
    mdl: str, expected: Expected
) -> None:
    assert_found(await of_rules(vaults_with(mdl)), [expected])


async def test_rules_of_the_other_end_are_checked_too() -> None:
    vaults = pair(
        crm="ALTER Integrationrule inquiries__v (MODIFY Fieldrule inquiry__v (active(false)));"
    )
    add_delivered_countries(vaults.medical)
    (finding,) = await listed(vaults)
    assert (finding.vault_id, finding.name) == (CRM_ID, "inquiries__v")
    assert "gives medical_inquiry__v a key" in finding.message


async def test_a_rule_that_its_point_does_not_use_is_found() -> None:
    mdl = rule(*WHOLE).replace(CUSTOM + "'", "account_inbound__v'")
    found = await of_rules(vaults_with(mdl))
    assert_found(found, [(None, None, False, "does not use this rule")])


async def test_a_finding_says_in_its_json_where_and_whether_it_prevents() -> None:
    vaults = vaults_with(rule(CODE, NAME))
    (finding,) = await listed(vaults)
    shown = finding.to_json()
    assert (shown["step"], shown["name"]) == (ReadinessStep.RULES, "custom__c")
    assert (shown["target_object"], shown["prevents_transfer"]) == (SAMPLE, True)


async def test_a_preview_shows_the_findings_of_its_rules() -> None:
    fields = (*WHOLE, onto("lot__c", "name__v"), onto("lot__c", "external_id__v"))
    vaults = vaults_with(rule(*fields))
    signed_in(vaults.medical, MANAGE_INTEGRATIONS)
    vaults.crm.users["another-session"] = {"security_profile__v": "business__c"}
    item = account(vaults.crm)
    (shown,) = await previewed(vaults, "custom__c", item)
    (finding,) = shown["findings"]
    assert (finding["field_rule"], finding["prevents_transfer"]) == ("f4__c", False)
    item = inquiry(vaults.crm, item)
    (shown,) = await previewed(vaults, "medical_inquiries__v", item)
    assert shown["findings"] == []


async def previewed(vaults: Pair, name: str, item: str) -> list[dict[str, Any]]:
    app = application(preview_routes.router(Answers(lambda: vaults.vaults)))
    reply = await call(
        app,
        "POST",
        "/previews/medical",
        headers=BOTH_SESSIONS,
        body=json.dumps({"rule": name, "ids": [item]}).encode(),
    )
    data: list[dict[str, Any]] = reply.json["data"]
    return data
