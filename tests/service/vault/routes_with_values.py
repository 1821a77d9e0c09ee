"""Lists every route of a Vault that shows values of records, with calls that return planted markers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.service.vault.planting import DOCUMENT, PERSON, RECORD, STAGED


@dataclass(frozen=True, eq=False)
class Door:
    """One call that returns a marker to callers who may read the marked record; names in ``path`` are planted ids."""

    marker: str
    path: str
    options: dict[str, Any] = field(default_factory=dict)


def query(marker: str, text: str) -> Door:
    return Door(marker, "/query", {"data": {"q": text}})


SECRET = "/vobjects/secret__c/{secret}"
FILE = f"{SECRET}/attachments/{{attachment_id}}"
PAPER = "/objects/documents/{document_id}"
JOB = "/services/loader/{job_id}/tasks/{task_id}"
RENDITION = "renditions/viewable_rendition__v"
RECORD_PATH = "/vobjects/{object_name}/{record_id}"
ATTACHMENT = f"{RECORD_PATH}/attachments/{{attachment_id}}"
VERSION = "/objects/documents/{document_id}/versions/{major}/{minor}"

OF_PAPER = "/objects/documents/{document_id}/attachments"


def attached(of_document: str, address: str) -> dict[str, tuple[Door, ...]]:
    """The doors to the attachments of a document, by route; ``address`` is that of the planted document."""
    one, version = "/{attachment_id}", "/versions/{attachment_version}"
    paper = f"{address}/{{paper_id}}"
    return {
        f"GET {of_document}": (Door(DOCUMENT, address),),
        f"GET {of_document}/file": (Door(DOCUMENT, f"{address}/file"),),
        f"GET {of_document}{one}": (Door(DOCUMENT, paper),),
        f"GET {of_document}{one}/file": (Door(DOCUMENT, f"{paper}/file"),),
        f"GET {of_document}{one}{version}": (Door(DOCUMENT, f"{paper}/versions/1"),),
        f"GET {of_document}{one}{version}/file": (
            Door(DOCUMENT, f"{paper}/versions/1/file"),
        ),
    }


DOORS: dict[str, tuple[Door, ...]] = {
    "POST /query": (
        query(RECORD, "SELECT name__v, text__c FROM secret__c"),
        query(RECORD, "SELECT id, secret__cr.text__c FROM open__c"),
        query(
            RECORD,
            "SELECT id, (SELECT file_name__sys FROM attachments__sysr) FROM secret__c",
        ),
        query(
            RECORD,
            "SELECT new_value FROM object_audit_trail WHERE object_name = 'secret__c'",
        ),
        query(RECORD, "SELECT name__v FROM secret__c FIND ('zqrecord*')"),
        query(DOCUMENT, "SELECT name__v FROM documents"),
        query(DOCUMENT, "SELECT new_value FROM document_audit_trail"),
        query(PERSON, "SELECT first_name__sys FROM user__sys"),
        query(PERSON, "SELECT user_first_name__v FROM users"),
    ),
    "GET /query": (Door(RECORD, "/query?q=SELECT%20name__v%20FROM%20secret__c"),),
    "GET /query/{cursor}": (Door(RECORD, "{following}"),),
    "POST /query/{cursor}": (Door(RECORD, "{following}"),),
    "GET /vobjects/{object_name}": (
        Door(RECORD, "/vobjects/secret__c?fields=name__v"),
    ),
    f"GET {RECORD_PATH}": (Door(RECORD, SECRET),),
    f"GET {RECORD_PATH}/attachment_fields/file": (
        Door(RECORD, f"{SECRET}/attachment_fields/file"),
    ),
    f"GET {RECORD_PATH}/attachment_fields/{{field_name}}/file": (
        Door(RECORD, f"{SECRET}/attachment_fields/scan__c/file"),
    ),
    f"GET {RECORD_PATH}/attachments": (Door(RECORD, f"{SECRET}/attachments"),),
    f"GET {RECORD_PATH}/attachments/file": (
        Door(RECORD, f"{SECRET}/attachments/file"),
    ),
    f"GET {ATTACHMENT}": (Door(RECORD, FILE),),
    f"GET {ATTACHMENT}/file": (Door(RECORD, f"{FILE}/file"),),
    f"GET {ATTACHMENT}/versions": (Door(RECORD, f"{SECRET}/attachments"),),
    f"GET {ATTACHMENT}/versions/{{attachment_version}}": (
        Door(RECORD, f"{FILE}/versions/1"),
    ),
    f"GET {ATTACHMENT}/versions/{{attachment_version}}/file": (
        Door(RECORD, f"{FILE}/versions/1/file"),
    ),
    f"GET {RECORD_PATH}/audittrail": (
        Door(RECORD, f"{SECRET}/audittrail"),
        Door(RECORD, f"{SECRET}/audittrail?format_result=csv"),
    ),
    "GET /audittrail/{audit_trail_type}": (
        Door(RECORD, "/audittrail/object_audit_trail?objects=secret__c"),
        Door(DOCUMENT, "/audittrail/document_audit_trail"),
    ),
    "GET /objects/documents/{document_id}/audittrail": (
        Door(DOCUMENT, f"{PAPER}/audittrail"),
    ),
    "GET /services/lineage/vobjects/{object_name}/{record_id}": (
        Door(RECORD, "/services/lineage/vobjects/secret__c/{secret}"),
    ),
    "GET /services/lineage/messages/{message_id}": (
        Door(RECORD, "/services/lineage/messages/{message_id}"),
    ),
    "GET /objects/documents": (Door(DOCUMENT, "/objects/documents"),),
    "GET /objects/documents/{document_id}": (Door(DOCUMENT, PAPER),),
    f"GET {VERSION}": (Door(DOCUMENT, f"{PAPER}/versions/0/1"),),
    "GET /objects/documents/{document_id}/file": (Door(DOCUMENT, f"{PAPER}/file"),),
    f"GET {VERSION}/file": (Door(DOCUMENT, f"{PAPER}/versions/0/1/file"),),
    f"GET {VERSION}/text": (Door(DOCUMENT, f"{PAPER}/versions/0/1/text"),),
    "GET /objects/documents/{document_id}/renditions/{rendition_type}": (
        Door(DOCUMENT, f"{PAPER}/{RENDITION}"),
    ),
    f"GET {VERSION}/renditions/{{rendition_type}}": (
        Door(DOCUMENT, f"{PAPER}/versions/0/1/{RENDITION}"),
    ),
    **attached(OF_PAPER, f"{PAPER}/attachments"),
    **attached(f"{VERSION}/attachments", f"{PAPER}/versions/0/1/attachments"),
    "GET /objects/documents/{document_id}/version/{major}/{minor}/attachments": (
        Door(DOCUMENT, f"{PAPER}/version/0/1/attachments"),
    ),
    "GET /objects/documents/{document_id}/{major}/{minor}/attachments/file": (
        Door(DOCUMENT, f"{PAPER}/0/1/attachments/file"),
    ),
    f"GET {JOB}/results": (
        Door(RECORD, "/services/loader/{extract}/tasks/1/results"),
        Door(RECORD, "/services/loader/{related}/tasks/1/results"),
    ),
    f"GET {JOB}/results/renditions": (
        Door(DOCUMENT, "/services/loader/{papers}/tasks/1/results/renditions"),
    ),
    f"GET {JOB}/successlog": (
        Door(RECORD, "/services/loader/{load}/tasks/1/successlog"),
    ),
    f"GET {JOB}/failurelog": (
        Door(RECORD, "/services/loader/{load}/tasks/1/failurelog"),
    ),
    "GET /services/package/{package_id}/content": (
        Door(RECORD, "/services/package/{package_id}/content"),
    ),
    "GET /notifications/histories": (Door(RECORD, "/notifications/histories"),),
    "GET /services/notifications": (Door(RECORD, "/services/notifications"),),
    "GET /services/file_staging/items": (
        Door(STAGED, "/services/file_staging/items?recursive=true"),
    ),
    "GET /services/file_staging/items/{item}": (
        Door(STAGED, "/services/file_staging/items/{folder}"),
    ),
    "GET /services/file_staging/items/content/{item}": (
        Door(STAGED, "/services/file_staging/items/content/{folder}/{staged}"),
    ),
    "GET /scim/v2/Users": (Door(PERSON, "/scim/v2/Users"),),
    "GET /scim/v2/Users/{user_id}": (Door(PERSON, "/scim/v2/Users/{person}"),),
    "GET /objects/users": (Door(PERSON, "/objects/users"),),
    "GET /objects/users/{user_id}": (Door(PERSON, "/objects/users/{person}"),),
}

SECRET_PAGE = "/objects/secret__c/{secret}"
PAGE_DOORS: dict[str, tuple[Door, ...]] = {
    "GET /objects/{object_name}": (Door(RECORD, "/objects/secret__c"),),
    "GET /objects/{object_name}/{record_id}": (
        Door(RECORD, SECRET_PAGE),
        Door(RECORD, "/objects/open__c/{open}"),
    ),
    "GET /objects/{object_name}/{record_id}/edit": (
        Door(RECORD, f"{SECRET_PAGE}/edit"),
        Door(RECORD, "/objects/open__c/{open}/edit"),
    ),
    "GET /objects/{object_name}/new": (Door(RECORD, "/objects/open__c/new"),),
    "GET /objects/{object_name}/{record_id}/delete": (
        Door(RECORD, f"{SECRET_PAGE}/delete"),
    ),
    "GET /objects/{object_name}/{record_id}/audit": (
        Door(RECORD, f"{SECRET_PAGE}/audit"),
    ),
    "GET /documents": (Door(DOCUMENT, "/documents"),),
    "GET /documents/{document_id}": (Door(DOCUMENT, "/documents/{document_id}"),),
    "GET /documents/{document_id}/versions/{major}/{minor}": (
        Door(DOCUMENT, "/documents/{document_id}/versions/0/1"),
    ),
    "GET /documents/{document_id}/versions/{major}/{minor}/file": (
        Door(DOCUMENT, "/documents/{document_id}/versions/0/1/file"),
    ),
    "GET /documents/{document_id}/versions/{major}/{minor}/renditions/{rendition}": (
        Door(
            DOCUMENT,
            "/documents/{document_id}/versions/0/1/renditions/viewable_rendition__v",
        ),
    ),
    "GET /documents/{document_id}/attachments/{attachment_id}": (
        Door(DOCUMENT, "/documents/{document_id}/attachments/{paper_id}"),
    ),
    "GET /packages/{package_id}/content": (
        Door(RECORD, "/packages/{package_id}/content"),
    ),
    "GET /users": (Door(PERSON, "/users"),),
    "GET /users/{user_id}": (Door(PERSON, "/users/{person}"),),
    "GET /users/{user_id}/edit": (Door(PERSON, "/users/{person}/edit"),),
    "GET /groups/{group_id}": (Door(PERSON, "/groups/{group}"),),
    "GET /notifications": (Door(RECORD, "/notifications"),),
    "GET /jobs/{job_id}/logs/{task_id}/{log}": (
        Door(RECORD, "/jobs/{extract}/logs/1/results"),
        Door(RECORD, "/jobs/{related}/logs/1/results"),
        Door(RECORD, "/jobs/{load}/logs/1/failurelog"),
    ),
}

ORACLES = (
    "SELECT id FROM open__c WHERE secret__cr.text__c LIKE 'zq%'",
    "SELECT id FROM open__c ORDER BY secret__cr.text__c",
    "SELECT id FROM open__c WHERE secret__c IN (SELECT id FROM secret__c WHERE text__c LIKE 'zq%')",
    "SELECT id FROM open__c WHERE id IN (SELECT secret__c FROM open__cr WHERE text__c LIKE 'zq%')",
    "SELECT id, (SELECT id FROM open__cr) FROM secret__c",
    "SELECT id FROM open__c FIND ('zqrecord' SCOPE secret__cr.text__c)",
)
"""Statements that show no value, and whose result depends on values."""
