"""Conditions in words: labels of fields and values; what has no words here is left to the condition itself."""

from __future__ import annotations

import pytest

from shared.vault.admin.condition_words import condition_words
from shared.vault.components.registry import Registry
from shared.vault.model.component_model import (
    Field,
    FieldType,
    Picklist,
    PicklistEntry,
    VaultObject,
)

ENTRIES = {
    name: PicklistEntry(name, label)
    for name, label in (("mail__v", "Mail"), ("fax__v", "Fax"))
}
FIELDS = {
    "way__v": Field("way__v", "Way", FieldType.PICKLIST, picklist="ways__v"),
    "note__v": Field("note__v", "Note", FieldType.STRING),
}
TARGET = VaultObject("thing__v", "Thing", "Things", "V0T", fields=FIELDS)
REGISTRY = Registry(picklists={"ways__v": Picklist("ways__v", "Ways", entries=ENTRIES)})


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("way__v = 'mail__v'", "Way is Mail"),
        ("way__v != 'fax__v'", "Way is not Fax"),
        ("way__v CONTAINS ('mail__v', 'fax__v')", "Way is Mail or Fax"),
        ("way__v = 'gone__v'", "Way is gone__v"),
        ("note__v = null", "Note is empty"),
        ("note__v != null AND way__v = 'fax__v'", "Note is not empty and Way is Fax"),
        ("note__v = 'a' OR note__v = 'b'", "Note is a or Note is b"),
        ("note__v = 'a' AND note__v LIKE 'b%'", ""),
        ("note__v = 'a' OR (note__v = 'b' AND way__v = 'fax__v')", ""),
        ("note__v > 'a'", ""),
        ("other__v = 'a'", ""),
        ("account__vr.name__v = 'x'", ""),
        ("note__v = ", ""),
    ],
)
def test_a_condition_is_said_with_labels(condition: str, words: str) -> None:
    assert condition_words(condition, TARGET, REGISTRY) == words
