"""The text of PDF and Office files, and the cost of broken and hostile ones."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile

import pytest

from shared.vault.documents.binary_formats import MEDIA_TYPES, OFFICE_PARTS, PDF
from shared.vault.documents.binary_text import MAX_PART, MAX_TEXT, binary_text
from shared.vault.documents.texts import READER

WORD, SHEET, SLIDES = OFFICE_PARTS
PART = {
    WORD: "word/document.xml",
    SHEET: "xl/sharedStrings.xml",
    SLIDES: "ppt/slides/slide1.xml",
}


def office(media_type: str, xml: str, **others: str) -> bytes:
    """An Office file with this part, and others by their names."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {PART[media_type]: xml, **others}.items():
            archive.writestr(name, text)
    return packed.getvalue()


def part(*texts: str) -> str:
    runs = "".join(f"<a:t>{text}</a:t>" for text in texts)
    return f'<a:p xmlns:a="urn:a">{runs}</a:p>'


def pdf(text: str) -> bytes:
    """A PDF of one page."""
    stream = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET".encode()
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R %s >>"
        % b"/Resources << /Font << /F1 5 0 R >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    written = b"%PDF-1.4\n"
    starts = []
    for number, each in enumerate(objects, 1):
        starts.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % start for start in starts)
    count = len(objects) + 1
    return (
        written
        + b"xref\n0 %d\n0000000000 65535 f \n%s" % (count, table)
        + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF"
        % (count, len(written))
    )


def test_a_pdf_gives_the_text_of_its_pages() -> None:
    assert binary_text(pdf("Storage below 8 degrees"), PDF) == "Storage below 8 degrees"


@pytest.mark.parametrize("media_type", OFFICE_PARTS)
def test_an_office_file_gives_the_text_of_its_parts(media_type: str) -> None:
    content = office(media_type, part("Storage  below", "8\ndegrees"))
    assert binary_text(content, media_type) == "Storage below 8 degrees"


def test_what_no_reader_sees_is_no_text() -> None:
    content = office(WORD, part("seen"), **{"docProps/app.xml": part("unseen")})
    assert binary_text(content, WORD) == "seen"


ENTITIES = (
    '<!DOCTYPE p [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]>'
    '<a:p xmlns:a="urn:a"><a:t>&b;</a:t></a:p>'
)
OUTSIDE = (
    '<!DOCTYPE p [<!ENTITY f SYSTEM "file:///etc/hostname">]>'
    '<a:p xmlns:a="urn:a"><a:t>&f;</a:t></a:p>'
)
HOSTILE = {
    "entities": office(WORD, ENTITIES),
    "an outside entity": office(WORD, OUTSIDE),
    "a part that unpacks to too much": office(WORD, part("x" * (MAX_PART + 1))),
    "a part that is not closed": office(WORD, "<a"),
    "half an archive": office(WORD, part("x"))[:60],
    "no archive": b"PK nothing",
    "nothing": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_and_broken_files_have_no_text(name: str) -> None:
    for media_type in MEDIA_TYPES:
        assert binary_text(HOSTILE[name], media_type) == ""


def test_a_text_is_cut() -> None:
    content = office(WORD, part(*["word " * 1000] * 100))
    assert len(binary_text(content, WORD)) == MAX_TEXT


def test_the_process_writes_the_text_of_its_input() -> None:
    command = [sys.executable, "-m", READER, PDF]
    done = subprocess.run(
        command, input=pdf("Storage"), capture_output=True, check=True
    )
    assert done.stdout == b"Storage"


LIMITS = "from shared.vault.documents.binary_text import bound"
GREEDY = {
    "time": f"{LIMITS}\nbound(1, 2**32)\nwhile True: pass",
    "memory": f"{LIMITS}\nbound(60, 2**28)\nbytearray(2**29)",
}


@pytest.mark.parametrize("wanted", GREEDY)
def test_a_process_that_wants_too_much_ends(wanted: str) -> None:
    command = [sys.executable, "-c", GREEDY[wanted]]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode != 0
