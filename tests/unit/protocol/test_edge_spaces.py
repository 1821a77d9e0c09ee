"""An error about an unknown key mentions white space around it, which is invisible."""

from __future__ import annotations

import pytest

from shared.protocol.edge_spaces import edge_space_note

NOTE = "; the value begins or ends with white space"


@pytest.mark.parametrize(
    ("key", "note"),
    [
        ("P-1", ""),
        ("P 1", ""),
        (7, ""),
        (None, ""),
        ("P-1 ", NOTE),
        ("\tP-1", NOTE),
        ("P-1\N{NO-BREAK SPACE}", NOTE),
        ("P-1\r", NOTE),
    ],
)
def test_what_nobody_sees_is_named(key: object, note: str) -> None:
    assert edge_space_note(key) == note
