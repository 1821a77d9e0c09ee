"""Reference lookups translate keys of each type, and name what they do not know."""

from __future__ import annotations

import pytest

from services.connector.rules.compiled import CompiledRule
from services.connector.rules.item_failures import ItemErrorType
from services.connector.rules.lookups import read_lookups
from tests.unit.connector.examples import compiled, field_rule
from tests.unit.connector.single_fields import CHANNEL, LOOKUPS, value_of


def row(**more: object) -> dict[str, object]:
    """Return one row of the picklist lookup ``set``, in which ``a`` becomes ``b``."""
    return {
        "reference_lookup_name__sys": "set",
        "reference_lookup_type__sys": ["picklist__sys"],
        "source_key__sys": "a",
        "target_key__sys": "b",
        **more,
    }


def ruled(kind: str, *rows: dict[str, object]) -> CompiledRule:
    """Return a rule that fills the priority by the lookup ``set`` of this type."""
    priority = field_rule(
        "case__v.priority__v",
        "delivery_method__v",
        reference_lookup="set",
        reference_lookup_type=kind,
    )
    return compiled(priority, lookups=read_lookups(rows))


def translated(rule: CompiledRule, key: object) -> object:
    return rule.evaluate({"delivery_method__v": key}).targets["case__v"]["priority__v"]


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
    assert warning.error_type is ItemErrorType.LOOKUP
    assert "source key none__v" in warning.message


KINDS = pytest.mark.parametrize(
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


@KINDS
def test_a_lookup_of_every_type_translates(kind: str) -> None:
    rule = ruled(kind, row(reference_lookup_type__sys=[f"{kind}__sys"]))
    assert translated(rule, "a") == "b"


@KINDS
def test_a_key_that_is_missing_is_an_error_that_names_the_lookup(kind: str) -> None:
    rule = ruled(kind, row(reference_lookup_type__sys=[f"{kind}__sys"]))
    (error,) = rule.evaluate({"delivery_method__v": "A"}).errors
    assert f"reference lookup set ({kind})" in error.message


def test_lookups_of_one_name_are_kept_apart_by_their_type() -> None:
    generic = row(reference_lookup_type__sys=["generic__sys"], target_key__sys="c")
    assert translated(ruled("picklist", row(), generic), "a") == "b"
    assert translated(ruled("generic", row(), generic), "a") == "c"


def test_an_inactive_row_is_left_out() -> None:
    rule = ruled("picklist", row(status__v=["inactive__v"]))
    (error,) = rule.evaluate({"delivery_method__v": "a"}).errors
    assert "source key a" in error.message


def test_a_text_that_may_be_personal_is_not_in_the_error() -> None:
    generic = {"reference_lookup": "texts", "reference_lookup_type": "generic"}
    error = value_of(
        "case_request__v.question__v", {"delivery_method__v": "Ann Smith"}, **generic
    )
    assert "Ann" not in error.message


@pytest.mark.parametrize("read", ["e", " e", "e\t", "\u00a0e "])
@pytest.mark.parametrize("stored", ["e", " e "])
def test_white_space_around_the_keys_of_a_lookup_is_ignored(
    read: str, stored: str
) -> None:
    rule = ruled("picklist", row(source_key__sys=stored, target_key__sys=" high__v "))
    assert translated(rule, [read]) == "high__v"
