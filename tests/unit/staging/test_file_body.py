"""Ranges of a file, and the name under which it is downloaded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.vault.api import file_body
from shared.vault.api.file_body import Span, disposition, span_of
from shared.vault.errors import VaultFault


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, Span(0, 100, partial=False)),
        ("bytes=0-0", Span(0, 1, partial=True)),
        ("bytes=0-99", Span(0, 100, partial=True)),
        ("bytes=90-1000", Span(90, 10, partial=True)),
        ("bytes = 50 - 59", Span(50, 10, partial=True)),
        ("bytes=-30", Span(70, 30, partial=True)),
        ("bytes=-300", Span(0, 100, partial=True)),
        ("bytes=99-", Span(99, 1, partial=True)),
    ],
)
def test_spans(header: str | None, span: Span) -> None:
    assert span_of(header, 100) == span


@pytest.mark.parametrize(
    "header",
    [
        "bytes=100-",
        "bytes=-",
        "bytes=2-1",
        "bytes=a-b",
        "bytes=0-1,3-4",
        "0-1",
        "bytes=-0",
    ],
)
def test_no_spans(header: str) -> None:
    with pytest.raises(VaultFault):
        span_of(header, 100)


def test_a_span_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_body, "MAX_RANGE", 10)
    assert span_of("bytes=5-", 100) == Span(5, 10, partial=True)


@given(st.integers(0, 1000), st.text("0123456789-,= bytes", max_size=20))
def test_a_span_lies_in_the_file(size: int, text: str) -> None:
    try:
        span = span_of(f"bytes={text}", size)
    except VaultFault:
        return
    assert 0 <= span.start < span.start + span.length <= size


@given(st.text(max_size=40))
def test_a_name_cannot_break_out_of_its_header(name: str) -> None:
    header = disposition(name.encode("utf-8", "ignore").decode())
    assert header.isascii() and header.isprintable()
    plain = header.removeprefix('attachment;filename="').partition("; filename*=")[0]
    assert plain.endswith('"') and '"' not in plain[:-1]


def test_names() -> None:
    assert disposition("a b.csv") == 'attachment;filename="a b.csv"'
    assert (
        disposition("é.csv")
        == "attachment;filename=\"_.csv\"; filename*=UTF-8''%C3%A9.csv"
    )
