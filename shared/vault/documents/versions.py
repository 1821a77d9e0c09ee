"""Versions of documents by number, and what the first one of a document begins with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.model.component_model import (
        DocumentModel,
        DocumentType,
        Lifecycle,
    )

LEVELS = ("type__v", "subtype__v", "classification__v")
LIFECYCLE = "lifecycle__v"
NUMBERS = ("major_version_number__v", "minor_version_number__v")
SUPPRESS_RENDITION = "suppressRendition"  # a Vault that makes renditions is asked not to; here nothing makes any
CHOSEN = frozenset((*LEVELS, LIFECYCLE, *NUMBERS, SUPPRESS_RENDITION))
"""What is chosen when a document is created, beside the fields that can be changed."""

MAX_NUMBER = 9999

_DIGITS = re.compile(r"\{(#+)\}")


@dataclass(frozen=True, slots=True, order=True)
class Number:
    """A version's number: ``0.1`` is the first draft, ``1.0`` the first version in a steady state."""

    major: int
    minor: int

    @classmethod
    def of(cls, values: Record) -> Self:
        """The number of a stored version."""
        return cls(values["major_version_number__v"], values["minor_version_number__v"])

    @property
    def fields(self) -> dict[str, object]:
        """The number as fields of a version."""
        return {
            "major_version_number__v": self.major,
            "minor_version_number__v": self.minor,
        }

    def draft_after(self) -> Number:
        """The draft that follows."""
        return Number(self.major, self.minor + 1)

    def steady_after(self) -> Number:
        """The number of a draft that becomes steady."""
        return Number(self.major + 1, 0)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


FIRST = Number(0, 1)


def first_number(fields: Mapping[str, str]) -> Number:
    """The number that a new document begins with, 0.1 where none is given; raises VaultFault INVALID_DATA."""
    given = [fields.get(name) or "" for name in NUMBERS]
    if not any(given):
        return FIRST
    if not all(
        text.isascii() and text.isdigit() and int(text[:9]) <= MAX_NUMBER
        for text in given
    ):
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"[{NUMBERS[0]}] and [{NUMBERS[1]}] are whole numbers, both given",
        )
    return Number(*map(int, given))


def version_id(document_id: int, number: Number) -> str:
    """The id of a version, ``12_0_1``."""
    return f"{document_id}_{number.major}_{number.minor}"


def type_of(model: DocumentModel, fields: Mapping[str, str]) -> DocumentType:
    """The document type that the fields name, level by level, each by its name or its label.

    :raises VaultFault: PARAMETER_REQUIRED, INVALID_DATA.
    """
    if not fields.get(LEVELS[0]):
        raise VaultFault(
            ErrorType.PARAMETER_REQUIRED, f"Missing required parameter [{LEVELS[0]}]"
        )
    found: DocumentType | None = None
    for level in LEVELS:
        given = fields.get(level)
        if not given:
            break
        above = "" if found is None else f"{found.name}."
        found = _named(
            given,
            (
                kind
                for kind in model.types.values()
                if kind.name == above + kind.path[-1]
            ),
        )
        if found is None:
            raise VaultFault(
                ErrorType.INVALID_DATA,
                f"Field [{level}] names no active document type at its place",
            )
    given_levels = sum(bool(fields.get(level)) for level in LEVELS)
    if found is None or len(found.path) != given_levels:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"Field [{LEVELS[-1]}] needs the levels above it"
        )
    return found


def _named(given: str, kinds: Iterable[DocumentType]) -> DocumentType | None:
    active = [kind for kind in kinds if kind.active]
    by_name = [kind for kind in active if kind.path[-1] == given]
    return next(iter(by_name or [kind for kind in active if kind.label == given]), None)


def lifecycle_of(
    model: DocumentModel, kind: DocumentType, given: str | None
) -> Lifecycle:
    """The lifecycle of a new document: the one named, by name or label, or the only one that its type may have.

    :raises VaultFault: PARAMETER_REQUIRED, INVALID_DATA.
    """
    offered = [
        model.lifecycles[name]
        for name in model.lifecycles_of(kind.name)
        if model.lifecycles[name].active
    ]
    if given:
        offered = [
            lifecycle
            for lifecycle in offered
            if given in (lifecycle.name, lifecycle.label)
        ]
    if not offered:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"Documents of type [{kind.name}] have no such lifecycle",
        )
    if len(offered) > 1:
        raise VaultFault(
            ErrorType.PARAMETER_REQUIRED, f"Missing required parameter [{LIFECYCLE}]"
        )
    return offered[0]


def document_number(kind: DocumentType, document_id: int) -> str:
    """The number that people call a document by, in the format of its type: ``ET-{######}``."""
    text = kind.number_format or "VV-{#####}"
    return _DIGITS.sub(lambda match: str(document_id).rjust(len(match[1]), "0"), text)
