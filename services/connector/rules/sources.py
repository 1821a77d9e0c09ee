"""What source records are: those of an object, or documents, of each of which the newest version that fits is read.

A document is known by its id in all its versions. Of those that fulfil the conditions of a statement the newest one is
read, so that a new draft does not hide what was approved before it.
"""

from __future__ import annotations

from services.connector.rules.object_metadata import DOCUMENTS

MODIFIED = "modified_date__v"


def modified_field(object_name: str) -> str:
    """The field that says when a source record was last modified."""
    return "version_modified_date__v" if object_name == DOCUMENTS else MODIFIED


def select(items: str, object_name: str) -> str:
    """``SELECT {items} FROM {object}``, to which conditions may be added."""
    if object_name == DOCUMENTS:
        return f"SELECT LATESTVERSION {items} FROM ALLVERSIONS {object_name}"  # noqa: S608  VQL of names
    return f"SELECT {items} FROM {object_name}"  # noqa: S608  VQL of names
