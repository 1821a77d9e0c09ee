"""Tokens of forms and notes over a redirect: valid in their own session only."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.vault.admin.cookies import (
    MAX_NOTE,
    NoteKind,
    form_token,
    is_form_token,
    read_note,
    write_note,
)

TEXT = st.text()
# HMAC fills keys up with NUL, so that two that differ in these alone are one; session ids have none.
SECRET = st.text(st.characters(exclude_characters="\x00"))


@given(SECRET, SECRET)
def test_a_token_is_good_in_its_own_session(secret: str, other: str) -> None:
    assert is_form_token(secret, form_token(secret))
    assert is_form_token(other, form_token(secret)) is (other == secret)


@given(st.text(), st.text())
def test_no_text_is_a_token(secret: str, text: str) -> None:
    assert not is_form_token(secret, text)


@given(SECRET, TEXT)
def test_a_note_is_read_as_it_was_written(secret: str, text: str) -> None:
    value = write_note(secret, NoteKind.DONE, text)
    assert value.isascii() and not set(value) & set(' ";,\\')
    assert read_note(secret, value) == (NoteKind.DONE, text[:MAX_NOTE])
    assert read_note(f"{secret}.", value) is None


@given(st.text(), st.text())
def test_no_text_is_a_note(secret: str, text: str) -> None:
    assert read_note(secret, text) is None
