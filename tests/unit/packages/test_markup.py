"""XML from outside: read without namespaces; constructs with side effects are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.vault.packages.package_archive import (
    PackageFault,
    element,
    leaf,
    parse,
    text_of,
)


def test_elements_without_their_namespaces() -> None:
    root = parse(
        b'<a xmlns="https://veevavault.com/"><b> x &amp; y </b><c z="1"/></a>', "a.xml"
    )
    assert (root.tag, text_of(root, "b"), text_of(root, "c"), text_of(root, "d/e")) == (
        "a",
        "x & y",
        "",
        "",
    )


@pytest.mark.parametrize(
    "text",
    [
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "http://example.com/a.dtd"><a/>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b"<!DOCTYPE a><a/>",
        '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'.encode("utf-16"),
        b"<a>&undeclared;</a>",
        b"<a><b></a>",
        b"",
        b"\xff\xff",
        b"<a>" * 30 + b"</a>" * 30,
        b"<a>" + b" " * 2**20 + b"</a>",
    ],
)
def test_what_is_refused(text: bytes) -> None:
    with pytest.raises(PackageFault, match=r"^a\.xml"):
        parse(text, "a.xml")


@given(
    st.text(
        alphabet=st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1
    )
)
def test_what_is_written_is_read(text: str) -> None:
    if not all(
        c in "\t\n\r" or (ord(c) >= 32 and ord(c) not in (0xFFFE, 0xFFFF)) for c in text
    ):
        return
    root = parse(element("a", leaf("b", text, "  "), leaf("c", "")).encode(), "a.xml")
    assert text_of(root, "b") == text.strip()
