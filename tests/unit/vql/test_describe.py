"""The queryDescribe block."""

from __future__ import annotations

from shared.vault.vql import compile_query, describe, parse
from tests.unit.vql.sample import REGISTRY, readable


def described(text: str) -> dict[str, object]:
    return describe(compile_query(parse(text), REGISTRY, readable))


def test_object_and_fields() -> None:
    assert described(
        "SELECT id, name__v, status__v, score__v, primary_country__vr.name__v FROM account__v"
    ) == {
        "type": "select__sys",
        "object": {
            "name": "account__v",
            "label": "Account",
            "label_plural": "Accounts",
        },
        "fields": [
            {"name": "id", "type": "id", "required": True},
            {
                "name": "name__v",
                "label": "Name",
                "type": "String",
                "required": True,
                "unique": False,
                "max_length": 128,
                "status": ["active__v"],
            },
            {
                "name": "status__v",
                "label": "Status",
                "type": "Picklist",
                "required": False,
                "unique": False,
                "picklist": "default_status__v",
                "status": ["active__v"],
            },
            {
                "name": "score__v",
                "label": "Score",
                "type": "Number",
                "required": False,
                "unique": False,
                "scale": 2,
                "status": ["active__v"],
            },
            {
                "name": "primary_country__vr.name__v",
                "label": "Name",
                "type": "String",
                "required": True,
                "unique": False,
                "max_length": 128,
                "status": ["active__v"],
            },
        ],
    }


def test_function_and_alias() -> None:
    fields = described("SELECT LONGTEXT(biography__v) AS text FROM account__v")[
        "fields"
    ]
    assert fields == [
        {
            "name": "text",
            "label": "Biography",
            "type": "LongText",
            "required": False,
            "unique": False,
            "max_length": 32000,
            "status": ["active__v"],
            "function": "LONGTEXT",
            "alias": True,
        }
    ]


def test_sub_selects() -> None:
    block = described("SELECT id, (SELECT id FROM addresses__vr) FROM account__v")
    assert block["subqueries"] == [
        {
            "relationship": "addresses__vr",
            "object": {
                "name": "address__v",
                "label": "Address",
                "label_plural": "Addresss",
            },
            "fields": [{"name": "id", "type": "id", "required": True}],
        }
    ]
