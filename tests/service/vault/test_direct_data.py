"""Direct Data by its calls: files are read here with an ordinary tar and CSV reader."""

from __future__ import annotations

import csv
import hashlib
import io
import tarfile
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.vault.access.caller import SYSTEM
from shared.vault.assembly.vault import Vault
from shared.vault.direct_data.direct_data_jobs import DirectDataJobs
from shared.vault.jobs.job_model import JobContext
from shared.vault.jobs.job_table import ClaimedJob
from shared.vault.jobs.worker import Run
from tests.service.vault import module_vault
from tests.service.vault.documenting import created
from tests.service.vault.jobbing import finished
from tests.service.vault.objects import items, owner
from tests.service.vault.served import Api

FILES = "/services/directdata/files"
FULL, INCREMENTAL, LOG = "full_directdata", "incremental_directdata", "log_directdata"
ODD = '=1+1 "quoted", with a\nline; — 薬'
FIRST = ["id", "modified_date__v", "name__v", "status__v", "created_by__v"]
METADATA = [
    "modified_date",
    "extract",
    "extract_label",
    "column_name",
    "column_label",
    "type",
    "length",
    "related_extract",
]

REVIEW = """
RECREATE Objectworkflow extracted__c (
   label('Extracted'), active(true), object_lifecycles('Objectlifecycle.envelope_lifecycle__sys'),
   Objectworkflowstep start__c (label('Start'), type('start'), next_steps('Objectworkflowstep.check__c')),
   Objectworkflowstep check__c (label('Check'), type('usertask'), next_steps('Objectworkflowstep.end__c'),
      step_detail({<d><control name="verdict_public_key__c" type="verdict">
      <verdict label="Good" name="verdict_good__c"/></control>
      <assignment participant="workflow_owner__sys"/><assignmentType type="all"/></d>})),
   Objectworkflowstep end__c (label('End'), type('end'))
);
"""

# More than an hour ago, and no end of a window.
OVERDUE = """
UPDATE platform.direct_data_chain SET stop_time = date_trunc('hour', now()) - interval '65 minutes' RETURNING stop_time
"""
# No later file is to end before an earlier one.
CAUGHT_UP = "UPDATE platform.direct_data_chain SET stop_time = greatest(stop_time, $1)"
AGED = """
UPDATE platform.direct_data_file SET created_date = now() - interval '3 days' WHERE name = $1 RETURNING folder
"""

vault = module_vault.vault
api = module_vault.api
admin = module_vault.admin
integration = module_vault.integration
user = module_vault.user


@dataclass(frozen=True)
class Archive:
    """A Direct Data file: its entry in the list, and its files by their paths."""

    listed: dict[str, Any]
    members: dict[str, str]

    def rows(self, path: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.members[path], newline="")))

    def header(self, path: str) -> list[str]:
        return next(csv.reader(io.StringIO(self.members[path], newline="")))

    def by(self, path: str, *names: str) -> dict[tuple[str, ...], dict[str, str]]:
        return {tuple(row[name] for name in names): row for row in self.rows(path)}

    @property
    def manifest(self) -> dict[tuple[str, ...], dict[str, str]]:
        return self.by("manifest.csv", "extract", "type")


async def fetched(client: Api, url: str) -> bytes:
    headers = {"Authorization": client.session_id or ""}
    async with client.http.get(url, headers=headers) as response:
        assert response.status == 200
        assert response.headers["X-VaultAPI-Status"] == "SUCCESS"
        assert ".tar.gz.0" in response.headers["Content-Disposition"]
        return await response.read()


def _made_by(job: Any) -> set[str]:
    """Names of the files whose parts the status of a job links to."""
    paths = [link["href"] for link in job["links"] if link["rel"] == "artifacts"]
    return {path.rpartition("/")[2].partition(".")[0] for path in paths}


async def make(client: Api, extract_type: str) -> Archive:
    """Have a file made, download all its parts, and unpack it."""
    answer = await client.post(FILES, data={"extract_type": extract_type})
    assert answer.status == "SUCCESS", answer.text
    job = await finished(client, answer.body["job_id"])
    assert job["status"] == "SUCCESS", job
    listed = await client.get(FILES, params={"extract_type": extract_type})
    (file,) = [each for each in listed.data if each["name"] in _made_by(job)]
    content = b""
    for part in file["filepart_details"]:
        piece = await fetched(client, part["url"])
        assert len(piece) == part["size"]
        assert (
            hashlib.md5(piece, usedforsecurity=False).hexdigest() == part["md5checksum"]
        )
        content += piece
    assert len(content) == file["size"]
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        members = {
            member.name: (archive.extractfile(member) or io.BytesIO()).read().decode()
            for member in archive.getmembers()
        }
    return Archive(file, members)


async def test_nobody_gets_files_before_the_first_one_or_without_the_permission(
    admin: Api, integration: Api, user: Api
) -> None:
    answer = await admin.get(FILES, params={"start_time": "2024-01-15T07:00Z"})
    if answer.status == "FAILURE":
        assert answer.error == "OPERATION_NOT_ALLOWED"
        assert answer.message.startswith("Initial file being generated")
    for client in (integration, user):
        for call in (
            client.get(FILES),
            client.get(f"{FILES}/1-20250101-0000-F.001"),
            client.post(FILES, data={"extract_type": FULL}),
        ):
            assert (await call).error == "INSUFFICIENT_ACCESS"


async def test_bad_input_is_refused(admin: Api) -> None:
    await make(admin, FULL)
    for params in (
        {"extract_type": "all"},
        {"start_time": "yesterday"},
        {"stop_time": "2024-13-01T00:00Z"},
    ):
        assert (await admin.get(FILES, params=params)).error == "INVALID_DATA"
    listed = await admin.get(FILES)
    name = listed.data[0]["name"]
    for wrong in ("none", f"{name}.002", f"{name}.1", f"{name}.x01", "%00.001"):
        assert (await admin.get(f"{FILES}/{wrong}")).error == "INVALID_DATA"
    assert (await admin.post(FILES, data={})).error == "PARAMETER_REQUIRED"
    wrong_kind = await admin.post(FILES, data={"extract_type": "all"})
    assert wrong_kind.error == "INVALID_DATA"


async def reviewed(admin: Api, document: int) -> str:
    """Start a workflow with a document, and complete its task with a verdict; return the workflow's id."""
    answer = await admin.post("/api/mdl/execute", data=REVIEW)
    assert answer.status == "SUCCESS", answer.text
    begun = await admin.post(
        "/objects/documents/actions/Objectworkflow.extracted__c",
        data={
            "contents__sys": f"Document:{document}",
            "description__sys": "Leaflets",
        },
    )
    assert begun.status == "SUCCESS", begun.text
    params = {"object__v": "documents", "record_id__v": str(document)}
    (task,) = (await admin.get("/objects/objectworkflows/tasks", params=params)).data
    done = await admin.post(
        f"/objects/objectworkflows/tasks/{task['id']}/actions/complete",
        data={"verdict_public_key__c": "verdict_good__c"},
    )
    assert done.status == "SUCCESS", done.text
    return str(begun.data["workflow_id"])


async def in_workflow_extracts(full: Archive, workflow: str, document: int) -> None:
    """Check the four extracts of workflows in a file."""
    found = full.by("Workflow/workflow__sys.csv", "id")[(workflow,)]
    assert (found["type__sys"], found["status__sys"]) == (
        "document__sys",
        "completed__v",
    )
    assert found["completed_date__sys"].endswith("Z")
    assert found["cancelled_date__sys"] == ""
    (item,) = full.rows("Workflow/workflow_item__sys.csv")
    assert item["workflow__sys"] == workflow
    assert (item["doc_id"], item["doc_version_id"]) == (
        str(document),
        f"{document}_0_1",
    )
    assert item["object_record_id__sys"] == ""
    (task,) = full.rows("Workflow/workflow_task__sys.csv")
    assert task["workflow__sys"] == workflow
    assert (task["label__sys"], task["iteration__sys"]) == ("Check", "1")
    (said,) = full.rows("Workflow/workflow_task_item__sys.csv")
    assert said["workflow_task__sys"] == task["id"]
    assert said["workflow_item__sys"] == item["id"]
    assert said["verdict_label__sys"] == "Good"
    metadata = full.by("Metadata/metadata.csv", "extract", "column_name")
    owner_column = metadata["Workflow.workflow_task__sys", "owner__sys"]
    assert owner_column["related_extract"] == "Object.user__sys"


async def test_a_full_file_has_every_record_as_it_is_documented(
    vault: Vault, admin: Api
) -> None:
    owned = await owner(admin)
    values = {
        "second_key__c": ODD,
        "yes__c": True,
        "day__c": "2024-02-29",
        "moment__c": "2024-02-29T23:59:59.120Z",
        "number__c": -7,
        "sizes__c": ["small__c", "huge__c"],
        "owner__c": owned,
    }
    (item,) = await items(admin, 1, **values)
    document = await created(admin, b"<p>letter</p>")
    workflow = await reviewed(admin, document)
    full = await make(admin, FULL)
    await in_workflow_extracts(full, workflow, document)

    listed = full.listed
    assert listed["name"].startswith(f"{vault.vault_id}-")
    assert listed["name"].endswith("-F")
    assert listed["filename"] == f"{listed['name']}.tar.gz"
    assert listed["start_time"] == "2000-01-01T00:00Z"
    assert listed["fileparts"] == 1
    assert listed["filepart_details"][0]["filename"].endswith(".tar.gz.001")
    assert listed["record_count"] == sum(
        int(row["records"]) for row in full.rows("manifest.csv")
    )
    assert full.header("Object/item__c.csv")[:5] == FIRST
    row = full.by("Object/item__c.csv", "id")[(item,)]
    assert row["second_key__c"] == ODD
    assert row["yes__c"] == "true"
    assert row["day__c"] == "2024-02-29"
    assert row["moment__c"] == "2024-02-29T23:59:59.120Z"
    assert row["number__c"] == "-7"
    assert row["sizes__c"] == "small__c,huge__c"
    assert row["owner__c"] == owned
    assert row["ratio__c"] == ""
    metadata = full.by("Metadata/metadata.csv", "extract", "column_name")
    assert full.header("Metadata/metadata.csv") == METADATA
    for column, kind, related in (
        ("text__c", "String", ""),
        ("number__c", "Number", ""),
        ("yes__c", "Boolean", ""),
        ("day__c", "Date", ""),
        ("moment__c", "DateTime", ""),
        ("sizes__c", "MultiPicklist", "Picklist.picklist__sys"),
        ("status__v", "Picklist", "Picklist.picklist__sys"),
        ("owner__c", "Relationship", "Object.owner__c"),
        ("created_by__v", "Relationship", "Object.user__sys"),
    ):
        found = metadata["Object.item__c", column]
        assert (found["type"], found["related_extract"]) == (kind, related)
        assert found["modified_date"] == ""
    values_of = full.by(
        "Picklist/picklist__sys.csv", "object", "object_field", "picklist_value_name"
    )
    assert values_of["item__c", "sizes__c", "huge__c"]["picklist_value_label"] == "Huge"
    version = full.by("Document/document_version__sys.csv", "id")[(f"{document}_0_1",)]
    assert version["doc_id"] == str(document)
    assert version["type"] == version["type__v"] == "email_template__v"
    assert version["source_file"].endswith(f"/{document}/versions/0/1/file")
    components = full.by(
        "Object/vault_component__v.csv", "component_type__v", "component_name__v"
    )
    assert components["Picklist", "size__c"]["label__v"] == "Size"
    # Every extract that the metadata describes is in the manifest, and every file of it in the archive.
    described = {extract for extract, _ in metadata}
    assert described <= {extract for extract, _ in full.manifest}
    files = {row["file"] for row in full.rows("manifest.csv") if row["file"]}
    assert set(full.members) == files | {"manifest.csv"}


async def test_relationships_between_documents_have_an_extract(admin: Api) -> None:
    document = await created(admin, b"<p>letter</p>")
    own = f"/objects/documents/{document}/versions/0/1/relationships"
    sent = {"target_doc_id__v": document, "relationship_type__v": "related_pieces__v"}
    related = (await admin.post(own, data=sent)).body["id"]
    full = await make(admin, FULL)
    found = full.by("Document/document_relationships__sys.csv", "id")[(str(related),)]
    assert found["source_doc_id__v"] == str(document)
    assert found["relationship_type__v"] == "related_pieces__v"
    assert found["target_version_id"] == found["target_major_version__v"] == ""
    await admin.delete(f"/objects/documents/{document}")
    following = await make(admin, INCREMENTAL)
    ended = following.rows("Document/document_relationships__sys_deletes.csv")
    assert str(related) in {row["id"] for row in ended}


async def test_an_incremental_file_has_what_changed_and_what_is_gone(
    admin: Api,
) -> None:
    kept, changed, gone = [await owner(admin) for _ in range(3)]
    document = await created(admin, b"<p>letter</p>")
    full = await make(admin, FULL)
    await make(admin, INCREMENTAL)
    mdl = (
        "RECREATE Picklist taste__c ( label('Taste'), Picklistentry sweet__c ( label('Sweet') ),"
        " Picklistentry sour__c ( label('Sour') ) );"
        "ALTER Object owner__c ( ADD Field taste__c ( type('Picklist'), label('Taste'),"
        " picklist('Picklist.taste__c') ) );"
    )
    answer = await admin.post("/api/mdl/execute", data=mdl)
    assert answer.status == "SUCCESS", answer.text
    update = {"id": changed, "taste__c": "sour__c"}
    assert (await admin.put("/vobjects/owner__c", json=[update])).status == "SUCCESS"
    await admin.delete("/vobjects/owner__c", json=[{"id": gone}])
    await admin.delete(f"/objects/documents/{document}")

    first = await make(admin, INCREMENTAL)
    assert first.listed["start_time"] >= full.listed["stop_time"]
    assert first.listed["stop_time"] > first.listed["start_time"]
    owners = first.by("Object/owner__c.csv", "id")
    assert owners[(changed,)]["taste__c"] == "sour__c"
    assert (kept,) not in owners
    deletes = first.rows("Object/owner__c_deletes.csv")
    assert [row["id"] for row in deletes] == [gone]
    assert deletes[0]["deleted_date"].endswith("Z")
    versions = first.rows("Document/document_version__sys_deletes.csv")
    assert [row["id"] for row in versions] == [f"{document}_0_1"]
    metadata = first.by("Metadata/metadata.csv", "extract", "column_name")
    assert list(metadata) == [("Object.owner__c", "taste__c")]
    assert metadata["Object.owner__c", "taste__c"]["modified_date"]
    whole = first.by("metadata_full.csv", "extract", "column_name")
    assert whole["Object.owner__c", "key__c"]["type"] == "String"
    names = {
        row["picklist_value_name"] for row in first.rows("Picklist/picklist__sys.csv")
    }
    assert names == {"sweet__c", "sour__c"}
    lines = first.manifest
    assert lines["Object.owner__c", "updates"]["file"] == "Object/owner__c.csv"
    assert lines["Object.owner__c", "deletes"]["records"] == "1"
    assert lines["Object.thing__c", "updates"]["file"] == ""
    assert ("Metadata.metadata", "updates") in lines

    await admin.put("/vobjects/owner__c", json=[{"id": changed, "taste__c": None}])
    mdl = "ALTER Object owner__c ( DROP Field taste__c );"
    answer = await admin.post("/api/mdl/execute", data=mdl)
    assert answer.status == "SUCCESS", answer.text
    second = await make(admin, INCREMENTAL)
    assert second.listed["start_time"] == first.listed["stop_time"]
    dropped = second.by("Metadata/metadata_deletes.csv", "extract", "column_name")
    assert list(dropped) == [("Object.owner__c", "taste__c")]
    values = second.by(
        "Picklist/picklist__sys_deletes.csv", "object_field", "picklist_value_name"
    )
    assert set(values) == {("taste__c", "sweet__c"), ("taste__c", "sour__c")}

    nothing = await make(admin, INCREMENTAL)
    # What the last file has seen of the audit of its own making is no record of an extract.
    assert nothing.listed["record_count"] == 0
    assert nothing.listed["fileparts"] == 1
    assert set(nothing.members) == {"manifest.csv", "metadata_full.csv"}


async def owner_and_log(api: Api, admin: Api) -> tuple[str, Archive]:
    """Sign in and create a record; return its id, and the log file of that day."""
    await api.signed_in("admin")
    made = await owner(admin)
    log = await make(admin, LOG)
    stored = (await admin.get(f"/vobjects/owner__c/{made}")).data
    if stored["created_date__v"] > log.listed["start_time"]:
        return made, log
    # The day has ended meanwhile; the next one will not.
    return await owner_and_log(api, admin)


async def test_a_log_file_has_the_audit_trails_of_the_day(api: Api, admin: Api) -> None:
    made, log = await owner_and_log(api, admin)
    assert log.listed["name"].endswith("-L")
    assert log.listed["start_time"].endswith("T00:00Z")
    entries = log.rows("Log/object_audit_trail__sys.csv")
    mine = [row for row in entries if row["record_id"] == made]
    assert [row["action"] for row in mine] == ["Create"]
    assert mine[0]["timestamp"].endswith("Z")
    assert log.rows("Log/login_audit_trail__sys.csv")
    described = log.by("metadata_full.csv", "extract", "column_name")
    assert described["Log.object_audit_trail__sys", "timestamp"]["type"] == "DateTime"
    assert described["Object.owner__c", "key__c"]


async def test_a_large_file_comes_in_parts_that_join_to_one(
    vault: Vault, admin: Api
) -> None:
    jobs = vault.direct_data_jobs
    size, jobs._part_bytes = jobs._part_bytes, 1000
    try:
        full = await make(admin, FULL)
    finally:
        jobs._part_bytes = size
    parts = full.listed["filepart_details"]
    assert len(parts) == full.listed["fileparts"] > 1
    assert [part["filepart"] for part in parts] == [*range(1, len(parts) + 1)]
    assert {part["size"] for part in parts[:-1]} == {1000}
    assert full.rows("manifest.csv")
    # Without a number, one cannot tell which part is meant.
    whole = await admin.get(f"{FILES}/{full.listed['name']}")
    assert whole.error == "INVALID_DATA"


async def test_files_lie_within_the_times_asked_for(admin: Api) -> None:
    await make(admin, FULL)
    window = (await make(admin, INCREMENTAL)).listed
    times = {"start_time": window["start_time"], "stop_time": window["stop_time"]}
    found = await admin.get(FILES, params=times)
    assert [file["name"] for file in found.data] == [window["name"]]
    early = await admin.get(FILES, params={**times, "start_time": "1999-12-31T00:00Z"})
    kinds = {file["extract_type"] for file in early.data}
    assert FULL in kinds
    before = await admin.get(FILES, params={"stop_time": "2001-01-01T00:00Z"})
    assert before.data == []
    assert before.body["responseDetails"] == {"total": 0}


async def test_each_window_that_has_ended_has_a_file_of_which_the_first_has_all(
    vault: Vault, admin: Api
) -> None:
    latest = (await make(admin, FULL)).listed["stop_time"]
    jobs = DirectDataJobs(
        vault.database,
        vault.components,
        vault.jobs,
        vault.files,
        vault.vault_id,
        vault.ordered_fields,
        scheduled=True,
    )
    async with vault.database.connection() as connection:
        begin = await connection.fetchval(OVERDUE)
    await owner(admin)
    run = Run(ClaimedJob(None, "", 1, {}), vault.jobs.table)  # type: ignore[arg-type]
    context = JobContext(2**30, SYSTEM, {}, {}, run)
    result = await jobs.make_windows(context)
    names = [path.rpartition("/")[2][:-4] for path in result.results["artifacts"]]  # type: ignore[attr-defined]
    listed = (await admin.get(FILES, params={"extract_type": INCREMENTAL})).data
    windows = [file for file in listed if file["name"] in names]
    assert len(windows) == len(names) >= 5
    starts = [window["start_time"] for window in windows]
    stops = [window["stop_time"] for window in windows]
    assert starts[0] == f"{begin:%Y-%m-%dT%H:%MZ}"
    assert starts[1:] == stops[:-1]
    assert {stop[-3:-1] for stop in stops} <= {"00", "15", "30", "45"}
    first, *others = [window["record_count"] for window in windows]
    assert first > 0
    assert set(others) == {0}
    # Nothing of this is due any more: a second run makes files of later windows only.
    again = await jobs.make_windows(context)
    assert not set(result.results["artifacts"]) & set(again.results["artifacts"])  # type: ignore[call-overload]
    async with vault.database.connection() as connection:
        await connection.execute(CAUGHT_UP, datetime.fromisoformat(latest))


async def test_expired_files_are_removed_with_their_parts(
    vault: Vault, admin: Api
) -> None:
    full = await make(admin, FULL)
    name = full.listed["name"]
    async with vault.database.connection() as connection:
        folder = await connection.fetchval(AGED, name)
    assert await vault.files.find(folder) is not None
    await vault.direct_data_jobs.purge()
    assert await vault.files.find(folder) is None
    listed = await admin.get(FILES, params={"extract_type": FULL})
    assert name not in [file["name"] for file in listed.data]
    assert (await admin.get(f"{FILES}/{name}.001")).error == "INVALID_DATA"
