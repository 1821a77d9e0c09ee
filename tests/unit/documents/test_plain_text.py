"""The text of files: by type and encoding, without markup, of bounded length, in linear time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.vault.documents.texts import MAX_BYTES, MAX_TEXT, is_text, plain_text

HTML, XML, TXT, CSV = "text/html", "application/xml", "text/plain", "text/csv"


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [
        (TXT, True),
        (CSV, True),
        (HTML, True),
        ("text/xml", True),
        (XML, True),
        ("application/json", True),
        ("image/svg+xml", True),
        ("application/pdf", True),
        (
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            True,
        ),
        ("application/octet-stream", False),
        ("image/png", False),
    ],
)
def test_what_is_text(media_type: str, expected: bool) -> None:
    assert is_text(media_type) is expected


@pytest.mark.parametrize(
    ("data", "media_type", "expected"),
    [
        (b"  a \n\n b\tc ", TXT, "a b c"),
        (b"a < b > c", TXT, "a < b > c"),
        ("Größe".encode(), TXT, "Größe"),
        (b"\xef\xbb\xbf" + "Größe".encode(), TXT, "Größe"),
        ("Größe".encode("utf-16"), TXT, "Größe"),
        (b"\xfe\xff" + "Größe".encode("utf-16-be"), TXT, "Größe"),
        ("Größe".encode("cp1252"), TXT, "Größe"),
        ("Größe".encode()[:-2], TXT, "Grö"),
        (b"a\x00b", TXT, "a b"),
        (b"id,name\n1,Cholecap\n", CSV, "id,name 1,Cholecap"),
        (b"<p>Chole<b>cap</b> 10&nbsp;mg &lt;5&gt;</p>", HTML, "Chole cap 10 mg <5>"),
        (
            b"<style>p { x }</style><SCRIPT a='b'>alert(1)</ScRiPt>text<!-- not <b>this</b> -->",
            HTML,
            "text",
        ),
        (b"text<!-- never closed <p>more", HTML, "text"),
        (b"text<script>never closed", HTML, "text"),
        (b"text <p never closed", HTML, "text"),
        (b"5 < 6 and a <b>", HTML, "5 < 6 and a"),
        (
            b"<?xml version='1.0'?><a b='c'><![CDATA[raw]]> &amp; more</a>",
            XML,
            "raw & more",
        ),
        (b"&#0;a", HTML, "\ufffda"),
        (b"", HTML, ""),
    ],
)
def test_text_of_a_file(data: bytes, media_type: str, expected: str) -> None:
    assert plain_text(data, media_type) == expected


def test_only_the_beginning_of_a_long_file_counts() -> None:
    assert len(plain_text(b"x" * (MAX_TEXT + 1), TXT)) == MAX_TEXT
    assert plain_text(b" " * MAX_BYTES + b"x", TXT) == ""


@given(st.binary(max_size=2000), st.sampled_from([TXT, HTML]))
def test_any_bytes_have_a_text_that_can_be_stored(data: bytes, media_type: str) -> None:
    text = plain_text(data, media_type)
    assert "\x00" not in text
    text.encode()


@pytest.mark.parametrize(
    "piece",
    [
        "<!--",
        "<script",
        "<script>",
        "</script ",
        "<a ",
        "<",
        "&",
        "<![CDATA[",
        "]]",
        "<script></script ",
    ],
)
def test_broken_markup_is_read_once(piece: str) -> None:
    """A quadratic reading of a million characters would exceed the time limit of a test."""
    assert (
        len(plain_text((piece * (MAX_BYTES // len(piece))).encode(), HTML)) <= MAX_TEXT
    )
