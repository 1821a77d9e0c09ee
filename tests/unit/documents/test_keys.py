"""Keys of documents: which texts are ids, and which fields name a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from shared.protocol.error_types import ErrorType
from shared.vault.documents.document_keys import named
from shared.vault.errors import VaultFault
from shared.vault.model.component_model import Field, FieldType, VaultObject

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection

FIELDS = (
    Field("number__c", "Number", FieldType.NUMBER),
    Field("tags__c", "Tags", FieldType.STRING, multi_value=True),
    Field("color__c", "Color", FieldType.PICKLIST),
)
VERSIONS = VaultObject(
    "document_version__sys",
    "Version",
    "Versions",
    "V0D",
    fields={field.name: field for field in FIELDS},
)
# Nothing here asks the database.
NO_DATABASE = cast("Connection", None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", 12),
        ("0012", 12),
        ("0", 0),
        ("2147483647", 2147483647),
        ("2147483648", None),
        ("99999999999999999999", None),
        ("9" * 5000, None),
        ("0" * 5000 + "7", 7),
        ("", None),
        ("-1", None),
        ("1.0", None),
        ("٣", None),
        ("12a", None),
    ],
)
async def test_ids(text: str, expected: int | None) -> None:
    assert await named(NO_DATABASE, VERSIONS, "id", [text]) == [expected]


@pytest.mark.parametrize("key", ["none__c", "number__c", "tags__c", "color__c"])
async def test_a_field_that_names_no_document(key: str) -> None:
    with pytest.raises(VaultFault) as raised:
        await named(NO_DATABASE, VERSIONS, key, ["x"])
    assert raised.value.error.type is ErrorType.INVALID_DATA
