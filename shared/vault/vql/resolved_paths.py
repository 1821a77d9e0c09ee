"""Describes the results of resolving a statement's path, a relationship and a phrase of FIND."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from shared.vault.model.component_model import Field, VaultObject


class FieldColumn(NamedTuple):
    """A field of a statement: the SQL of its values, the field, and the object that it belongs to."""

    sql: str
    field: Field
    owner: VaultObject


class Related(NamedTuple):
    """The object behind a relationship; ``near`` is the SQL column of the owner that equals its column ``far``."""

    object: VaultObject
    near: str
    far: str


@dataclass(frozen=True, slots=True)
class SearchedText:
    """The text of a record, all of a phrase's scopes joined into one, as SQL without case and accents.

    ``indexed``: the search index has all its words. Of picklists the index has only the names of values; ``labels``
    are their labels as JSON. ``outside`` are the labels of picklists that the index leaves out, by column and name.
    ``fields`` is False for text that is only the content of files.
    """

    sql: str
    fields: bool
    indexed: bool
    labels: str | None = None
    outside: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def without_index(self) -> SearchedText:
        """Return the same text, to be searched without the index."""
        return replace(self, indexed=False)
