"""Checked-out documents: who may lock, edit and unlock them."""

from __future__ import annotations

from tests.service.vault import documenting
from tests.service.vault.documenting import DOCUMENTS, created, document, form
from tests.service.vault.people import as_user, new_user
from tests.service.vault.served import Api

types = documenting.types


async def another(admin: Api) -> Api:
    """A second business user."""
    _, name = await new_user(admin)
    return await as_user(admin, name)


async def test_a_lock_shows_who_has_it_and_ends_with_the_new_version(
    admin: Api, user: Api
) -> None:
    document_id = await created(user, b"one")
    own = f"{DOCUMENTS}/{document_id}"
    assert (await user.get(f"{own}/lock")).body["lock"] == {}
    assert (await document(user, document_id))["locked__v"] is False
    locked = await user.post(f"{own}/lock")
    assert locked.body["responseMessage"] == "Document successfully checked out."
    lock = (await admin.get(f"{own}/lock")).body["lock"]
    creator = (await document(user, document_id))["created_by__v"]
    assert lock["locked_by__v"] == creator
    assert lock["locked_date__v"].endswith("Z")
    assert (await document(user, document_id))["locked__v"] is True
    found = await user.query(
        f"SELECT id FROM documents WHERE id = {document_id} AND locked__v = true"
    )
    assert [row["id"] for row in found.data] == [document_id]
    # A draft with the same content is no check-in.
    await user.post(own, data={"createDraft": "latestContent"})
    assert (await document(user, document_id))["locked__v"] is True
    assert (await user.post(own, data=form(b"two"))).status == "SUCCESS"
    assert (await document(user, document_id))["locked__v"] is False


async def test_only_who_has_the_lock_and_administrators_make_versions(
    admin: Api, user: Api
) -> None:
    other = await another(admin)
    document_id = await created(user, b"one")
    own = f"{DOCUMENTS}/{document_id}"
    await user.post(f"{own}/lock")
    for call in (
        other.post(own, data=form(b"two")),
        other.post(own, data={"createDraft": "latestContent"}),
        other.post(f"{own}/lock"),
        user.post(f"{own}/lock"),
        other.delete(f"{own}/lock"),
    ):
        assert (await call).error == "OPERATION_NOT_ALLOWED"
    assert (await admin.post(own, data=form(b"two"))).status == "SUCCESS"
    # What an administrator adds leaves the document with whom it is checked out to.
    assert (await document(user, document_id))["locked__v"] is True
    assert (await user.post(own, data=form(b"three"))).status == "SUCCESS"


async def test_a_lock_is_undone_by_its_owner_the_document_s_and_administrators(
    admin: Api, user: Api
) -> None:
    other = await another(admin)
    document_id = await created(user, b"one")
    own = f"{DOCUMENTS}/{document_id}/lock"
    for unlocking in (other, user, admin):
        assert (await other.post(own)).status == "SUCCESS"
        undone = await unlocking.delete(own)
        assert undone.body["responseMessage"] == "Undo check out successful."
        assert (await unlocking.delete(own)).error == "OPERATION_NOT_ALLOWED"
    audited = await admin.get(f"{DOCUMENTS}/{document_id}/audittrail?limit=10")
    changed = [row for row in audited.data if row["field_name"] == "locked_by__v"]
    assert len(changed) == 6


async def test_a_deleted_document_has_no_lock_and_unknown_ones_none(
    admin: Api, user: Api
) -> None:
    document_id = await created(user)
    own = f"{DOCUMENTS}/{document_id}"
    await user.post(f"{own}/lock")
    assert (await admin.delete(own)).status == "SUCCESS"
    for call in (user.get, user.post, user.delete):
        assert (await call(f"{own}/lock")).error == "INVALID_DATA"
    metadata = await user.get("/metadata/objects/documents/lock")
    names = [field["name"] for field in metadata.body["properties"]]
    assert names == ["locked_by__v", "locked_date__v"]


async def test_the_metadata_of_a_lock_is_that_of_the_public_reference(
    user: Api,
) -> None:
    answer = await user.get("/metadata/objects/documents/lock")
    made = {
        "scope": "Lock",
        "required": True,
        "systemAttribute": True,
        "editable": False,
        "setOnCreateOnly": False,
        "disabled": False,
        "hidden": False,
    }
    by = {"name": "locked_by__v", "label": "Locked By", "type": "ObjectReference"}
    date = {"name": "locked_date__v", "label": "Locked Date", "type": "DateTime"}
    assert answer.body["name"] == "lock"
    assert answer.body["properties"] == [
        {**by, "objectType": "User", **made},
        {**date, "objectType": "DateTime", **made},
    ]
