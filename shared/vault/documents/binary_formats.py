"""Lists the media types of PDF and Office files, whose text a separate process extracts."""

from __future__ import annotations

PDF = "application/pdf"
_OFFICE = "application/vnd.openxmlformats-officedocument"
# Beginnings of the names of the parts with text, by media type.
OFFICE_PARTS = {
    f"{_OFFICE}.wordprocessingml.document": (
        "word/document",
        "word/header",
        "word/footer",
        "word/footnotes",
    ),
    f"{_OFFICE}.spreadsheetml.sheet": ("xl/sharedStrings", "xl/worksheets/sheet"),
    f"{_OFFICE}.presentationml.presentation": ("ppt/slides/slide", "ppt/notesSlides/"),
}
MEDIA_TYPES = frozenset({PDF, *OFFICE_PARTS})
