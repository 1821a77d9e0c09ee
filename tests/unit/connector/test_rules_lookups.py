"""Reference lookups translate keys of each type, and name what they do not know."""

from __future__ import annotations

import pytest

from services.connector.rules.item_failures import ItemErrorType
from services.connector.rules.lookups import read_lookups
from tests.unit.connector.examples import compiled, field_rule
from tests.unit.connector.single_fields import CHANNEL, LOOKUPS, value_of


def test_a_warning_leaves_the_field_unset_and_names_it() -> None:
    rule = compiled(
        field_rule(
            "case__v.origination_channel__v",
            "delivery_method__v",
            **CHANNEL,
            missing_lookup="warning",
        ),
        lookups=LOOKUPS,
    )
    evaluated = rule.evaluate({"delivery_method__v": ["none__v"]})
    assert (evaluated.targets, evaluated.errors) == ({"case__v": {}}, [])
    (warning,) = evaluated.warnings
    assert (
        warning.error_type is ItemErrorType.LOOKUP
        and "source key none__v" in warning.message
    )


@pytest.mark.parametrize(
    "kind",
    [
        "picklist",
        "object",
        "objectlifecyclestate",
        "documentlifecyclestate",
        "documenttype",
        "generic",
    ],
)
def test_every_lookup_type_translates_and_misses_by_its_own_name(kind: str) -> None:
    rows = [
        {
            "reference_lookup_name__sys": "set",
            "reference_lookup_type__sys": [f"{kind}__sys"],
            "source_key__sys": "a",
            "target_key__sys": "b",
        }
    ]
    rule = compiled(
        field_rule(
            "case__v.priority__v",
            "delivery_method__v",
            reference_lookup="set",
            reference_lookup_type=kind,
        ),
        lookups=read_lookups(rows),
    )
    assert rule.evaluate({"delivery_method__v": "a"}).targets == {
        "case__v": {"priority__v": "b"}
    }
    (error,) = rule.evaluate({"delivery_method__v": "A"}).errors
    assert f"reference lookup set ({kind})" in error.message


def test_a_text_that_may_be_personal_is_not_in_the_error() -> None:
    generic = {"reference_lookup": "texts", "reference_lookup_type": "generic"}
    error = value_of(
        "case_request__v.question__v", {"delivery_method__v": "Ann Smith"}, **generic
    )
    assert "Ann" not in error.message


def test_lookups_keep_types_apart_and_leave_out_what_is_inactive() -> None:
    assert LOOKUPS["picklist", "channel"].entries == {
        "email__v": "by_email__v",
        "phone__v": "by_phone__v",
    }
    assert LOOKUPS["object", "products"].target_key_field == "external_id__v"


@pytest.mark.parametrize("read", ["e", " e", "e\t", "\u00a0e "])
@pytest.mark.parametrize("stored", ["e", " e "])
def test_white_space_around_a_lookups_keys_says_nothing(read: str, stored: str) -> None:
    rows = [
        {
            "reference_lookup_name__sys": "set",
            "reference_lookup_type__sys": ["picklist__sys"],
            "source_key__sys": stored,
            "target_key__sys": " high__v ",
        }
    ]
    rule = compiled(
        field_rule(
            "case__v.priority__v",
            "delivery_method__v",
            reference_lookup="set",
            reference_lookup_type="picklist",
        ),
        lookups=read_lookups(rows),
    )
    assert rule.evaluate({"delivery_method__v": [read]}).targets == {
        "case__v": {"priority__v": "high__v"}
    }
