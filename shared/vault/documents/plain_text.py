"""The text of a file, without markup: for files that are text, whichever encoding they have."""

from __future__ import annotations

import codecs
import html
import re

MAX_BYTES = 2**20  # of a file that are looked at
MAX_TEXT = 200_000  # characters that are kept

_MARKUP = frozenset(
    {
        "text/html",
        "application/xhtml+xml",
        "text/xml",
        "application/xml",
        "image/svg+xml",
    }
)
_PLAIN = frozenset({"application/json"})
# Whatever is not closed goes to the end: a file is read once, however it is broken.
_TAGS = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*+>|\Z)|<!\[CDATA\[|\]\]>|</?[a-z!?][^<>]*+>?",
    re.DOTALL | re.IGNORECASE,
)
_SPACE = re.compile(r"\s+")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def is_text(media_type: str) -> bool:
    """Whether files of this type are text that can be searched."""
    return (
        media_type.startswith("text/") or media_type in _MARKUP or media_type in _PLAIN
    )


def plain_text(data: bytes, media_type: str) -> str:
    """The words of a file of a type that ``is_text``, of its beginning where it is long; spaces are one each."""
    text = _decoded(data[:MAX_BYTES]).replace("\x00", " ")
    if media_type in _MARKUP:
        text = html.unescape(_TAGS.sub(" ", text)).replace("\x00", " ")
    return _SPACE.sub(" ", text).strip()[:MAX_TEXT]


def _decoded(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    # The last character may have been cut in two.
    text, length = codecs.utf_8_decode(data, "ignore", False)
    if len(text.encode()) == length:
        return text
    return data.decode("cp1252", "replace")
