"""The value of one target field by a rule with lookups."""

from __future__ import annotations

from typing import Any

from services.connector.rules.lookups import read_lookups
from tests.unit.connector.examples import compiled, field_rule

LOOKUPS = read_lookups(
    [
        {
            "reference_lookup_name__sys": name,
            "reference_lookup_type__sys": [kind],
            "source_key__sys": source,
            "target_key__sys": target,
            "target_object__sys": "product__v" if kind == "object__sys" else None,
            "target_key_field__sys": "external_id__v"
            if kind == "object__sys"
            else None,
            "status__v": [status],
        }
        for name, kind, source, target, status in (
            ("channel", "picklist__sys", "email__v", "by_email__v", "active__v"),
            ("channel", "picklist__sys", "phone__v", "by_phone__v", "active__v"),
            ("channel", "picklist__sys", "fax__v", "by_fax__v", "inactive__v"),
            ("products", "object__sys", "00P1", "E-1", "active__v"),
            ("texts", "generic__sys", "3", "7", "active__v"),
        )
    ]
)

CHANNEL = {"reference_lookup": "channel", "reference_lookup_type": "picklist"}


def value_of(
    target: str,
    row: dict[str, object],
    query: str | None = "delivery_method__v",
    **more: Any,
) -> Any:
    """Return the value that a rule gives one field, ``"unset"`` for none, or else the first error.

    ``target`` is ``object.field``; ``more`` are attributes of the field rule.
    """
    rule = compiled(field_rule(target, query, **more), lookups=LOOKUPS)
    evaluated = rule.evaluate(row)
    name, _, field = target.partition(".")
    return (
        evaluated.errors[0]
        if evaluated.errors
        else evaluated.targets[name].get(field, "unset")
    )
