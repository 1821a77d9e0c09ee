"""The versions of documents that recipients of packages may see."""

from __future__ import annotations

from datetime import date

import pytest

from shared.vault.components.document_model import STEADY, SUPERSEDED
from shared.vault.documents.versions import Number
from shared.vault.fulfillment.fulfillment_model import (
    DocumentVersion,
    served_versions,
)

TODAY = date(2026, 11, 30)
DRAFT, OBSOLETE = "initial_state__sys", "obsolete_state__sys"


def version(
    number: str, state_type: str | None, expires: date | None = None, document: int = 7
) -> DocumentVersion:
    major, minor = map(int, number.split("."))
    return DocumentVersion(
        f"{document}_{major}_{minor}",
        document,
        Number(major, minor),
        state_type,
        expires,
    )


@pytest.mark.parametrize(
    ("versions", "served"),
    [
        ([version("1.0", STEADY)], {"7_1_0"}),
        ([version("0.1", DRAFT)], set()),
        # A draft that follows takes nothing away.
        ([version("1.0", STEADY), version("1.1", DRAFT)], {"7_1_0"}),
        # A superseded version was approved, and is what was sent.
        ([version("1.0", SUPERSEDED), version("2.0", STEADY)], {"7_1_0", "7_2_0"}),
        ([version("1.0", OBSOLETE)], set()),
        # The newest one counts for all of them.
        ([version("2.0", OBSOLETE), version("1.0", SUPERSEDED)], set()),
        ([version("1.0", OBSOLETE), version("2.0", STEADY)], {"7_2_0"}),
        # The last day is one on which it may be used.
        ([version("1.0", STEADY, TODAY)], {"7_1_0"}),
        ([version("1.0", STEADY, date(2026, 11, 29))], set()),
        (
            [
                version("1.0", SUPERSEDED, date(2026, 11, 29)),
                version("2.0", STEADY, date(2027, 1, 1)),
            ],
            {"7_2_0"},
        ),
        # A state that the configuration has lost says nothing in favour.
        ([version("1.0", None)], set()),
        # Documents have nothing to do with each other.
        ([version("1.0", OBSOLETE), version("1.0", STEADY, document=8)], {"8_1_0"}),
        ([], set()),
    ],
)
def test_what_is_served(versions: list[DocumentVersion], served: set[str]) -> None:
    assert served_versions(versions, TODAY) == served
