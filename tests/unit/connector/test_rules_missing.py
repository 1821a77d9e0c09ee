"""Source keys without a row, and how often each occurs."""

from __future__ import annotations

import pytest

from services.connector.rules.lookups import MissingKeys, read_lookups
from tests.unit.connector.examples import compiled, field_rule

LOOKUPS = read_lookups(
    [
        {
            "reference_lookup_name__sys": "channel",
            "reference_lookup_type__sys": ["picklist__sys"],
            "source_key__sys": "email__v",
            "target_key__sys": "mail__v",
        }
    ]
)


@pytest.mark.parametrize("missing", ["error", "default", "warning"])
def test_keys_without_a_row_are_counted_whatever_the_rule_does_about_them(
    missing: str,
) -> None:
    channel = {
        "reference_lookup": "channel",
        "reference_lookup_type": "picklist",
        "missing_lookup": missing,
    }
    other = {
        "reference_lookup": "other",
        "reference_lookup_type": "generic",
        "missing_lookup": missing,
    }
    rule = compiled(
        field_rule("case__v.origination_channel__v", "delivery_method__v", **channel),
        field_rule("case__v.priority__v", "delivery_method__v", **other),
        lookups=LOOKUPS,
    )
    found = MissingKeys()
    for values in (
        ["email__v"],
        ["fax__v"],
        ["fax__v", "email__v"],
        [],
        None,
        ["post__v"],
    ):
        found.count(rule.missing_keys([{"delivery_method__v": values}]))
    assert [(lookup.name, key, count) for lookup, key, count in found.listed()] == [
        ("other", "email__v", 2),
        ("other", "fax__v", 2),
        ("other", "post__v", 1),
        ("channel", "fax__v", 2),
        ("channel", "post__v", 1),
    ]
