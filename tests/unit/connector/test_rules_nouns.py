"""The types by which rules decide: the meaning of each name, and of unknown ones."""

from __future__ import annotations

import pytest

from services.connector.points.hcp import PullRule, rule_name
from services.connector.rules.conversion import LengthCheck, Unfit, converter
from services.connector.rules.lookups import LookupType, read_lookup_type, read_lookups
from services.connector.rules.object_metadata import (
    FieldMetadata,
    FieldType,
    ObjectMetadata,
)
from services.connector.rules.query_plan import whole_text


@pytest.mark.parametrize(
    ("named", "known"),
    [
        ("LongText", FieldType.LONG_TEXT),
        ("Picklist", FieldType.PICKLIST),
        ("ObjectReference", FieldType.OBJECT),
        ("Currency", FieldType.OTHER),
        (None, FieldType.STRING),
    ],
)
def test_a_field_type_is_known_by_its_name(named: str | None, known: FieldType) -> None:
    described = ObjectMetadata.from_json(
        {"name": "x__v", "fields": [{"name": "y__v", "type": named}]}
    )
    assert described.fields["y__v"].type is known


def test_the_value_of_a_type_that_is_not_known_is_sent_as_text() -> None:
    fit = converter(FieldMetadata("y__v", FieldType.OTHER))
    assert fit(12.5) == "12.5"


def test_a_long_text_is_cut_where_the_rule_says_so() -> None:
    field = FieldMetadata("y__v", FieldType.STRING, max_length=3)
    assert converter(field, length=LengthCheck.TRUNCATE)("abcd") == "abc"
    with pytest.raises(Unfit, match="4 characters"):
        converter(field)("abcd")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("ab\N{GRINNING FACE}d", "ab\N{GRINNING FACE}"),
        ("abe\N{COMBINING ACUTE ACCENT}", "ab"),
        ("ae\N{COMBINING ACUTE ACCENT}d", "ae\N{COMBINING ACUTE ACCENT}"),
        ("ab\N{THUMBS UP SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-4}", "ab"),
        ("a\N{MAN}\N{ZERO WIDTH JOINER}\N{GIRL}d", "a"),
        ("ab\N{HEAVY BLACK HEART}\N{VARIATION SELECTOR-16}", "ab"),
        # Of a sign that is longer than the field, the beginning is better than nothing.
        (
            "e" + "\N{COMBINING ACUTE ACCENT}" * 9,
            "e" + "\N{COMBINING ACUTE ACCENT}" * 2,
        ),
    ],
)
def test_no_sign_is_cut_in_two(text: str, kept: str) -> None:
    field = FieldMetadata("y__v", FieldType.STRING, max_length=3)
    assert converter(field, length=LengthCheck.TRUNCATE)(text) == kept


def test_only_long_texts_have_a_function_that_reads_them_in_full() -> None:
    functions = {kind: whole_text(kind) for kind in FieldType}
    assert {kind: name for kind, name in functions.items() if name} == {
        FieldType.LONG_TEXT: "LONGTEXT",
        FieldType.RICH_TEXT: "RICHTEXT",
    }


@pytest.mark.parametrize(
    ("named", "known"),
    [
        ("picklist", LookupType.PICKLIST),
        ("picklist__sys", LookupType.PICKLIST),
        ("lifecyclestate", LookupType.OBJECT_STATE),
        ("", None),
        ("colour", None),
    ],
)
def test_a_lookup_type_is_known_with_and_without_its_ending(
    named: str, known: LookupType | None
) -> None:
    assert read_lookup_type(named) is known


@pytest.mark.parametrize("kind", ["colour__sys", "lifecyclestate__sys"])
def test_rows_of_a_lookup_type_that_is_not_known_make_no_set(kind: str) -> None:
    row = {
        "reference_lookup_name__sys": "channel",
        "reference_lookup_type__sys": [kind],
        "source_key__sys": "a",
        "target_key__sys": "b",
    }
    assert read_lookups([row]) == {}


def test_each_pull_accounts_rule_has_its_integration_rule() -> None:
    assert {rule: rule_name(rule) for rule in PullRule} == {
        PullRule.PULL: "account__v",
        PullRule.WITH_INQUIRIES: "only_accounts_with_inquiries__v",
        PullRule.DO_NOT_PULL: "do_not_pull_from_accounts__v",
    }


def test_only_keys_of_generic_lookups_are_not_shown() -> None:
    hidden = {kind for kind in LookupType if not kind.shows_keys}
    assert hidden == {LookupType.GENERIC}


def test_only_lookups_of_objects_lead_to_records() -> None:
    leading = {kind for kind in LookupType if kind.leads_to_records}
    assert leading == {LookupType.OBJECT}
