"""Workflows of documents: the guide's example with one and several documents, and who may see them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.service.vault import documenting
from tests.service.vault.browsing import browser
from tests.service.vault.documenting import DOCUMENTS, created, document
from tests.service.vault.people import as_user, new_user
from tests.service.vault.profiles import with_profile
from tests.service.vault.served import Answer, Api

types = documenting.types

GUIDE = Path(__file__).parents[3] / "docs" / "workflows.md"
ACTIONS = f"{DOCUMENTS}/actions"
WORKFLOW = f"{ACTIONS}/Objectworkflow.content_review__c"
TASKS = "/objects/objectworkflows/tasks"
APPROVE = {"verdict_public_key__c": "verdict_approve__c"}
REJECT = {"verdict_public_key__c": "verdict_reject__c"}


class Reviewer(NamedTuple):
    """A user who reviews: their id and name, and the API as they call it."""

    id: int
    name: str
    api: Api


@pytest.fixture(scope="module")
async def reviewer(admin: Api, types: None) -> Reviewer:
    _, example, *_ = re.findall(r"```mdl\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    deployed = await admin.post("/api/mdl/execute", data=example)
    assert deployed.status == "SUCCESS", deployed.text
    assert "warnings" not in deployed.body
    user_id, name = await new_user(admin, security_profile__v="business_user__v")
    return Reviewer(user_id, name, await as_user(admin, name))


async def start(api: Api, reviewer_id: int, contents: str, **fields: str) -> Answer:
    sent = {
        "contents__sys": contents,
        "description__sys": "Leaflets",
        "reviewers__c": f"user:{reviewer_id}",
        **fields,
    }
    return await api.post(
        WORKFLOW, data={name: value for name, value in sent.items() if value}
    )


async def started(api: Api, reviewer_id: int, *ids: int) -> str:
    contents = ",".join(f"Document:{each}" for each in ids)
    answer = await start(api, reviewer_id, contents)
    assert answer.status == "SUCCESS", answer.text
    assert answer.data["record_id__v"] == str(ids[0])
    assert answer.data["record_url"].endswith(f"{DOCUMENTS}/{ids[0]}")
    return str(answer.data["workflow_id"])


async def task_of(api: Api, document_id: int) -> dict[str, Any]:
    params = {"object__v": "documents", "record_id__v": str(document_id)}
    (task,) = (await api.get(TASKS, params=params)).data
    return dict(task)


async def test_a_document_is_reviewed_and_approved(
    admin: Api, reviewer: Reviewer
) -> None:
    listed = (await admin.get(ACTIONS)).data
    (offered,) = [each for each in listed if each["label"] == "Content Review"]
    assert offered == {
        "name": "Objectworkflow.content_review__c",
        "label": "Content Review",
        "type": "multidocworkflow",
        "cardinality": "OneOrMany",
    }
    asked = (await admin.get(WORKFLOW)).data
    prompts = [each["name"] for part in asked["controls"] for each in part["prompts"]]
    assert prompts == ["reviewers__c", "documents__sys", "description__sys"]
    of_records = (await admin.get("/objects/objectworkflows/actions")).data
    assert "Content Review" not in [each["label"] for each in of_records]

    document_id = await created(admin, title__v="Draft title")
    workflow = await started(admin, reviewer.id, document_id)
    task = await task_of(reviewer.api, document_id)
    assert (task["object__v"], task["label__v"]) == ("documents", "Review")
    assert task["instructions__v"].startswith("Approve the content")
    # A second workflow has to wait, and none of its documents enters it.
    other = await created(admin)
    busy = f"Document:{other},Document:{document_id}"
    refused = await start(admin, reviewer.id, busy)
    assert refused.error == "OPERATION_NOT_ALLOWED"

    done = await reviewer.api.post(
        f"{TASKS}/{task['id']}/actions/complete",
        data={**APPROVE, "documents.title__v": "Final title"},
    )
    assert done.status == "SUCCESS", done.text
    shown = await document(admin, document_id)
    assert (shown["status__v"], shown["title__v"]) == ("Approved", "Final title")
    # A draft that becomes steady has a whole number, as by a user action.
    assert (shown["major_version_number__v"], shown["minor_version_number__v"]) == (
        1,
        0,
    )
    (ended,) = (await admin.get(f"/objects/objectworkflows/{workflow}")).data
    assert ended["status__v"] == ["completed__v"]
    trail = await admin.get(f"{DOCUMENTS}/{document_id}/audittrail")
    actions = {each["action"] for each in trail.data}
    assert {"Start Workflow", "Complete Task", "Complete Workflow"} <= actions


async def test_each_document_has_its_verdict(admin: Api, reviewer: Reviewer) -> None:
    first, second = await created(admin), await created(admin)
    workflow = await started(admin, reviewer.id, first, second)
    task = await task_of(reviewer.api, second)
    contents = [
        {"object__v": "documents", "record_id__v": str(first), **APPROVE},
        {"document_id__v": str(second), **REJECT},
    ]
    done = await reviewer.api.post(
        f"{TASKS}/{task['id']}/actions/mdwcomplete", json={"contents__sys": contents}
    )
    assert done.status == "SUCCESS", done.text
    for each in (first, second):
        assert (await document(admin, each))["status__v"] == "Draft"
    found = await admin.query(
        "SELECT document_id__sys, type__sys, object_record_id__sys, verdict__sys"
        f" FROM inactive_workflow_task_item__sys WHERE workflow__sys = '{workflow}'"
    )
    verdicts = {row["document_id__sys"]: row["verdict__sys"] for row in found.data}
    assert verdicts == {
        str(first): "verdict_approve__c",
        str(second): "verdict_reject__c",
    }
    assert {row["type__sys"] for row in found.data} == {"document__sys"}
    assert {row["object_record_id__sys"] for row in found.data} == {None}
    notified = (await admin.get("/services/notifications")).data
    subjects = [each["subject"] for each in notified]
    name = (await document(admin, first))["name__v"]
    assert f"{name} was not approved" in subjects


async def test_documents_are_reviewed_on_pages(admin: Api, reviewer: Reviewer) -> None:
    first = await created(admin, name__v="First leaflet", title__v="A title")
    second = await created(admin, name__v="Second leaflet")
    await started(admin, reviewer.id, first, second)
    alone = await created(admin, title__v="The only title")
    await started(admin, reviewer.id, alone)
    task = await task_of(admin, first)
    single = await task_of(admin, alone)
    async with browser(admin.url) as reviewing:
        await reviewing.sign_in(reviewer.name)
        page = await reviewing.open("/ui/tasks")
        assert "First leaflet" in page.text
        page = await reviewing.open(f"/ui/tasks/{single['id']}")
        assert page.form("Complete").fields["title__v"] == "The only title"
        page = await reviewing.open(f"/ui/tasks/{task['id']}")
        assert "First leaflet" in page.text and "Second leaflet" in page.text
        # What is entered is for both of them, and so begins with the value of neither.
        assert page.form("Complete").fields["title__v"] == ""
        verdict = {"title__v": "Common title", **APPROVE}
        page = await reviewing.press(page, "Complete", **verdict)
        assert "The task is completed." in page.text
        page = await reviewing.open("/ui/notifications")
        assert "/ui/tasks" in page.links.values()
    for each in (first, second):
        shown = await document(admin, each)
        assert (shown["status__v"], shown["title__v"]) == ("Approved", "Common title")


async def test_who_may_not_read_documents_has_a_task_that_says_nothing(
    admin: Api, reviewer: Reviewer
) -> None:
    stranger = await with_profile(admin, set(), {"product__v": "r"})
    (me,) = (await stranger.get("/objects/users/me")).body["users"]
    stranger_id = me["user"]["id"]
    document_id = await created(admin, title__v="Not for everyone")
    # As in the original: whether participants may read the contents is not looked at.
    await started(admin, stranger_id, document_id)
    task = await task_of(admin, document_id)
    assert task["assignee__v"] == str(stranger_id)
    assert (await stranger.get(TASKS, params={"assignee__v": "me()"})).data == []
    path = f"{TASKS}/{task['id']}"
    assert (await stranger.get(path)).error == "INVALID_DATA"
    refused = await stranger.post(f"{path}/actions/complete", data=APPROVE)
    assert refused.error == "INSUFFICIENT_ACCESS"
    text = "SELECT id FROM active_workflow_task__sys"
    assert (await stranger.query(text)).data == []
    (told,) = (await stranger.get("/services/notifications")).data
    assert told["subject"] == "Review: —"
    # Its owner gives it to somebody who may.
    given = await admin.post(
        f"{path}/actions/reassign", data={"task_assignee__v": f"user:{reviewer.id}"}
    )
    assert given.status == "SUCCESS", given.text
    done = await reviewer.api.post(f"{path}/actions/complete", data=APPROVE)
    assert done.status == "SUCCESS", done.text


@pytest.mark.parametrize(
    ("contents", "fields", "error"),
    [
        ("", {}, "PARAMETER_REQUIRED"),
        ("Document:x", {}, "INVALID_DATA"),
        ("Object:product__v.V1", {}, "INVALID_DATA"),
        ("Document:999999999", {}, "INVALID_DATA"),
        ("DocumentVersion:{id}_9_9", {}, "INVALID_DATA"),
        (",".join(["Document:1"] * 101), {}, "INVALID_DATA"),
        ("Document:{id}", {"description__sys": ""}, "PARAMETER_REQUIRED"),
        ("Document:{id}", {"description__sys": "x" * 129}, "INVALID_DATA"),
        ("Document:{id}", {"reviewers__c": ""}, "PARAMETER_REQUIRED"),
        ("Document:{id}", {"readers__c": "user:1"}, "ATTRIBUTE_NOT_SUPPORTED"),
        ("Document:{short}", {}, "INVALID_DATA"),
        ("DocumentVersion:{id}_0_1", {}, ""),
        ("", {"documents__sys": "{id}"}, ""),
    ],
)
async def test_what_a_start_takes(
    admin: Api, reviewer: Reviewer, contents: str, fields: dict[str, str], error: str
) -> None:
    document_id = await created(admin)
    levels: dict[str, Any] = {"type__v": "promotion__c", "lifecycle__v": "short__c"}
    short = await created(admin, **levels)
    places = {"id": document_id, "short": short}
    sent = {name: value.format(**places) for name, value in fields.items()}
    answer = await start(admin, reviewer.id, contents.format(**places), **sent)
    if error:
        assert answer.error == error, answer.text
    else:
        assert answer.data["record_id__v"] == str(document_id)


async def test_a_deleted_document_ends_its_workflow_and_a_cancelled_one_frees_it(
    admin: Api, reviewer: Reviewer
) -> None:
    first, second = await created(admin), await created(admin)
    gone, cancelled = [
        await started(admin, reviewer.id, each) for each in (first, second)
    ]
    deleted = await admin.delete(f"{DOCUMENTS}/{first}")
    assert deleted.status == "SUCCESS", deleted.text
    done = await admin.post(f"/objects/objectworkflows/{cancelled}/actions/cancel")
    assert done.status == "SUCCESS", done.text
    for workflow in (gone, cancelled):
        (shown,) = (await admin.get(f"/objects/objectworkflows/{workflow}")).data
        assert shown["status__v"] == ["cancelled__v"]
    await started(admin, reviewer.id, second)
