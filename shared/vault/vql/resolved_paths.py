"""Describes what a path of a statement and a relationship lead to."""

from __future__ import annotations

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
