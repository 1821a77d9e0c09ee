"""Roles on documents: who has them, by one call for one document and for many."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.vault import documenting
from tests.service.vault.documenting import DOCUMENTS, created, document
from tests.service.vault.people import new_user
from tests.service.vault.served import Api

types = documenting.types


async def role(client: Api, document_id: int, name: str) -> dict[str, Any]:
    answer = await client.get(f"{DOCUMENTS}/{document_id}/roles/{name}")
    assert answer.status == "SUCCESS", answer.text
    (found,) = answer.body["documentRoles"]
    return dict(found)


async def test_roles_are_assigned_and_removed_one_by_one(admin: Api, user: Api) -> None:
    person, _ = await new_user(admin)
    second, _ = await new_user(admin)
    document_id = await created(user)
    own = f"{DOCUMENTS}/{document_id}/roles"
    assigned = await user.post(own, data={"editor__v.users": f"{person},{second}"})
    assert assigned.body["updatedRoles"] == {"editor__v": {"users": [person, second]}}
    found = await role(user, document_id, "editor__v")
    assert found["assignedUsers"] == [person, second]
    assert (found["label"], found["assignedGroups"]) == ("Editor", [])
    assert {person, second} <= set(found["availableUsers"])
    # Who has a role keeps it when others get it.
    await user.post(own, data={"editor__v.users": str(second)})
    removed = await user.delete(f"{own}/editor__v.user/{person}")
    assert removed.body["updatedRoles"] == {"editor__v": {"users": [person]}}
    assert (await role(user, document_id, "editor__v"))["assignedUsers"] == [second]
    audited = await admin.get(f"{DOCUMENTS}/{document_id}/audittrail?limit=10")
    changes = [row for row in audited.data if row["field_name"] == "editor__v.users"]
    assert len(changes) == 2


async def test_the_owner_is_who_created_the_document(admin: Api, user: Api) -> None:
    person, _ = await new_user(admin)
    document_id = await created(user)
    creator = (await document(user, document_id))["created_by__v"]
    listed = (await user.get(f"{DOCUMENTS}/{document_id}/roles")).body["documentRoles"]
    names = {each["name"]: each["assignedUsers"] for each in listed}
    assert names["owner__v"] == [creator]
    assert names["viewer__v"] == []
    refused = await user.post(
        f"{DOCUMENTS}/{document_id}/roles", data={"owner__v.users": str(person)}
    )
    assert refused.error == "OPERATION_NOT_ALLOWED"


REFUSED: tuple[tuple[dict[str, str], str], ...] = (
    ({"editor__v.users": "999999999"}, "INVALID_DATA"),
    ({"editor__v.users": "somebody"}, "INVALID_DATA"),
    ({"nothing__c.users": "2"}, "ATTRIBUTE_NOT_SUPPORTED"),
    ({}, "PARAMETER_REQUIRED"),
)


@pytest.mark.parametrize(("fields", "error"), REFUSED)
async def test_what_names_nobody_is_refused(
    user: Api, fields: dict[str, str], error: str
) -> None:
    document_id = await created(user)
    own = f"{DOCUMENTS}/{document_id}/roles"
    assert (await user.post(own, data=fields)).error == error
    rows = [{"id": document_id, **fields}]
    batch = await user.post(f"{DOCUMENTS}/roles/batch", json=rows)
    assert batch.data[0]["errors"][0]["type"] == error
    assert (await user.get(f"{own}/nothing__c")).error == "INVALID_DATA"
    assert (await user.post(f"{DOCUMENTS}/roles/batch", data={})).data == []
    removal = await user.delete(f"{own}/editor__v/2")
    assert removal.error == "INVALID_DATA"


async def test_many_documents_get_and_lose_roles_in_one_call(
    admin: Api, user: Api
) -> None:
    person, _ = await new_user(admin)
    first, second = await created(user), await created(user)
    batch = f"{DOCUMENTS}/roles/batch"
    text = f"id,viewer__v.users\n{first},{person}\n999999999,{person}\n"
    csv = {"Content-Type": "text/csv"}
    answer = await user.post(batch, data=text, headers=csv)
    assert [row["responseStatus"] for row in answer.data] == ["SUCCESS", "FAILURE"]
    named = {"responseStatus": "SUCCESS", "id": first, "viewer__v.users": [person]}
    assert answer.data[0] == named
    form = {"docIds": f"{first},{second}", "viewer__v.users": str(person)}
    await user.post(batch, data=form)
    for document_id in (first, second):
        viewer = await role(user, document_id, "viewer__v")
        assert viewer["assignedUsers"] == [person]
    await user.delete(batch, data=text, headers=csv)
    assert (await role(user, first, "viewer__v"))["assignedUsers"] == []
    assert (await role(user, second, "viewer__v"))["assignedUsers"] == [person]


async def test_a_deleted_document_leaves_no_roles(admin: Api, user: Api) -> None:
    person, _ = await new_user(admin)
    document_id = await created(user)
    own = f"{DOCUMENTS}/{document_id}"
    await user.post(f"{own}/roles", data={"viewer__v.users": str(person)})
    await admin.delete(own)
    assert (await user.get(f"{own}/roles")).error == "INVALID_DATA"
