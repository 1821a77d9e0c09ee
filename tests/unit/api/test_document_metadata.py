"""Metadata of documents: it has a name for each type of field."""

from __future__ import annotations

import pytest

from shared.vault.api.document_metadata import _type_name
from shared.vault.model.component_model import FieldType


@pytest.mark.parametrize(
    "kind", [each for each in FieldType if each not in (FieldType.OBJECT, FieldType.ID)]
)
def test_most_types_are_called_as_in_the_metadata_of_objects(kind: FieldType) -> None:
    assert _type_name(kind) == kind.value


def test_references_and_ids_have_names_of_their_own() -> None:
    assert _type_name(FieldType.OBJECT) == "ObjectReference"
    assert _type_name(FieldType.ID) == "id"
