"""The Python client on PyPI, unmodified: documents."""

from __future__ import annotations

from pathlib import Path

from veevatools.veevavault import VaultClient
from veevatools.veevavault.services.documents import DocumentService
from veevatools.veevavault.services.lifecycle_and_workflow import (
    DocumentLifecycleWorkflowService,
)

from tests.service.vault.conftest import Call
from tests.service.vault.objects import key

VIEWABLE = "viewable_rendition__v"


async def test_a_document_from_its_first_version_to_its_end(
    client: VaultClient, call: Call, tmp_path: Path
) -> None:
    documents, name = DocumentService(client), f"Letter {key()}"
    create = documents.creation.create_document_with_binary
    kind = {
        "type_v": "Email Template",
        "lifecycle_v": "Content Lifecycle",
        "suppress_rendition": True,
    }
    numbered = {
        "major_version_number_v": 0,
        "minor_version_number_v": 3,
        "external_id_v": key(),
    }
    made = await call(create, b"first", "letter.html", name, **kind, **numbered)
    document_id = str(made["id"])
    shown = (await call(documents.retrieval.retrieve_document, document_id))["document"]
    assert (shown["version_id"], shown["filename__v"]) == (
        f"{document_id}_0_3",
        "letter.html",
    )
    assert (
        await call(documents.retrieval.download_document_file, document_id) == b"first"
    )

    file = tmp_path / "second.html"
    file.write_bytes(b"second")
    update = documents.update
    version = await call(
        update.create_single_document_version, document_id, "latestContent"
    )
    assert (version["major_version_number__v"], version["minor_version_number__v"]) == (
        0,
        4,
    )
    assert (
        await call(
            documents.retrieval.download_document_version_file, document_id, 0, 4
        )
        == b"first"
    )
    await call(update.update_single_document, document_id, {"title__v": "A title"})
    await call(
        documents.renditions.add_single_document_rendition,
        document_id,
        VIEWABLE,
        str(file),
    )
    listed = await call(documents.renditions.retrieve_document_renditions, document_id)
    assert list(listed["renditions"]) == [VIEWABLE]

    lifecycle = DocumentLifecycleWorkflowService(client)
    offered = await call(lifecycle.retrieve_document_user_actions, document_id, 0, 4)
    assert [action["name__v"] for action in offered["lifecycle_actions__v"]] == [
        "approve__v"
    ]
    assert (
        await call(
            lifecycle.initiate_document_user_action, document_id, 0, 4, "approve__v"
        )
    )["id"] == made["id"]
    steady = (
        await call(documents.retrieval.retrieve_document_version, document_id, 1, 0)
    )["document"]
    assert (steady["status__v"], steady["title__v"]) == ("Approved", "A title")
    versions = await call(documents.retrieval.retrieve_document_versions, document_id)
    assert [row["number"] for row in versions["versions"]] == ["0.3", "1.0"]
    assert (await call(documents.deletion.delete_single_document, document_id))[
        "id"
    ] == made["id"]
