"""The text of files of documents is found, in every supported format."""

from __future__ import annotations

import pytest

from shared.vault.assembly.vault import Vault
from shared.vault.documents import texts
from tests.service.vault import documenting
from tests.service.vault.documenting import DOCUMENTS, created, download
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


@pytest.mark.parametrize(
    ("filename", "content"),
    [
        ("said.pdf", pdf("stored cold")),
        ("said.docx", office(WORD, part("stored cold"))),
        ("said.html", b"<p>stored <b>cold</b></p>"),
    ],
)
async def test_the_text_of_a_version_is_downloaded(
    user: Api, filename: str, content: bytes
) -> None:
    document_id = await created(user, content, filename)
    status, headers, text = await download(
        user, f"{DOCUMENTS}/{document_id}/versions/0/1/text", Accept="application/json"
    )
    assert status == 200
    assert headers["content-type"] == "text/plain;charset=UTF-8"
    assert text.decode() == "stored cold"


@pytest.mark.parametrize(
    ("content", "filename"),
    [(b"%PDF-1.7 nothing", "broken.pdf"), (b"\x89PNG", "photo.png"), (b"", "none.txt")],
)
async def test_a_version_without_text_is_refused(
    user: Api, content: bytes, filename: str
) -> None:
    document_id = await created(user, content, filename)
    refused = await user.get(f"{DOCUMENTS}/{document_id}/versions/0/1/text")
    assert refused.error == "INVALID_DATA"
    missing = await user.get(f"{DOCUMENTS}/{document_id}/versions/7/0/text")
    assert missing.error == "INVALID_DATA"


async def test_a_file_that_is_broken_is_stored_without_a_text(user: Api) -> None:
    document_id = await created(user, b"%PDF-1.7 nothing", "broken.pdf")
    found = await user.query(f"SELECT id FROM documents WHERE id = {document_id}")
    assert [row["id"] for row in found.data] == [document_id]


async def test_a_text_that_takes_too_long_is_given_up(
    user: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "EXTRACTION_SECONDS", 0.0)
    document_id = await created(user, pdf("zqlateword"), "late.pdf")
    found = await user.query(
        "SELECT id FROM documents FIND ('zqlateword' SCOPE CONTENT)"
    )
    assert found.data == []
    kept = await user.query(f"SELECT id FROM documents WHERE id = {document_id}")
    assert [row["id"] for row in kept.data] == [document_id]


async def test_a_text_whose_turn_does_not_come_is_extracted_later(
    user: Api, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "TURN_SECONDS", 0.0)
    turns = vault.document_texts._turns
    other = -1
    await turns.enter(other, 600.0)
    try:
        document_id = await created(user, pdf("zqturnword"), "turn.pdf")
    finally:
        turns.leave(other)
    statement = "SELECT id FROM documents FIND ('zqturnword' SCOPE CONTENT)"
    assert (await user.query(statement)).data == []
    monkeypatch.setattr(texts, "TURN_SECONDS", 600.0)
    await vault.document_texts.extract_missing()
    found = (await user.query(statement)).data
    assert [row["id"] for row in found] == [document_id]


def test_a_process_that_reads_files_is_given_no_settings() -> None:
    environment = {"PATH": "/bin", "VAULT_DATABASE_DSN": "x", "vault_amqp_url": "x"}
    assert texts.without_secrets(environment) == {"PATH": "/bin"}
