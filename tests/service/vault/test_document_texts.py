"""What files of documents say is found, whatever their format."""

from __future__ import annotations

import pytest

from tests.service.vault import documenting
from tests.service.vault.documenting import created
from tests.service.vault.served import Api
from tests.unit.documents.test_binary_text import SHEET, WORD, office, part, pdf

types = documenting.types

FILES = {
    "leaflet.pdf": pdf("zqpdfword stored cold"),
    "letter.docx": office(WORD, part("zqdocxword", "stored cold")),
    "doses.xlsx": office(SHEET, part("zqxlsxword")),
}


@pytest.mark.parametrize("filename", FILES)
async def test_the_words_of_a_file_are_found(user: Api, filename: str) -> None:
    document_id = await created(user, FILES[filename], filename)
    word = f"zq{filename.rpartition('.')[2]}word"
    found = await user.query(f"SELECT id FROM documents FIND ('{word}' SCOPE CONTENT)")
    assert [row["id"] for row in found.data] == [document_id]


async def test_a_file_that_is_broken_is_stored_without_a_text(user: Api) -> None:
    document_id = await created(user, b"%PDF-1.7 nothing", "broken.pdf")
    found = await user.query(f"SELECT id FROM documents WHERE id = {document_id}")
    assert [row["id"] for row in found.data] == [document_id]
