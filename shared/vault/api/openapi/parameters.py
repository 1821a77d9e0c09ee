"""Describes the parameters of paths and queries; each path parameter has an example."""

from __future__ import annotations

# By name alone: the same name means the same in every path.
PATH: dict[str, tuple[str, object]] = {
    "version": (
        "The API version; this Vault answers every well-formed version in the same way.",
        "v25.1",
    ),
    "profile": ("Name of an OAuth 2.0 / OpenID Connect profile.", "_9a2b"),
    "delegation_id": ("Id of a delegation.", 12),
    "cursor": (
        "The id of the query in `next_page` or `previous_page`.",
        "5b3f0c0e7d9a4f1c",
    ),
    "object_name": ("Name of an object.", "product__v"),
    "record_id": ("Id of a record.", "V5P000000000101"),
    "field_name": ("Name of a field.", "name__v"),
    "action_name": (
        "`Objectlifecyclestateuseraction.{object}.{state}.{action}` or `Objectaction.{object}.{action}`.",
        "Objectlifecyclestateuseraction.case_request__v.new_state__v.start_work__v",
    ),
    "workflow_id": ("Id of a workflow.", 1001),
    "workflow_task_id": ("Id of a workflow task.", 1001),
    "workflow_name": (
        "`Objectworkflow.{name}`.",
        "Objectworkflow.answer_with_review__c",
    ),
    "workflow_action": ("`cancel` or `replaceworkflowowner`.", "cancel"),
    "task_action": (
        "`accept`, `undoaccept`, `complete`, `reassign`, `updateduedate` or `cancel`.",
        "complete",
    ),
    "bulk_action": (
        "`canceltasks`, `cancelworkflows`, `reassigntasks` or `replaceworkflowowner`.",
        "cancelworkflows",
    ),
    "outcome": ("`success` or `failure`.", "success"),
    "job_id": ("Id of a job.", 1201),
    "task_id": ("Id of a task of the job.", "1"),
    "type_name": ("Name of a component type.", "Picklist"),
    "component_name": ("Type and name of a component.", "Picklist.priority__v"),
    "file_name": ("The `name__v` under which the file was uploaded.", "logo.svg"),
    "picklist_name": ("Name of a picklist.", "priority__v"),
    "security_policy_name": ("Name of a security policy.", "1"),
    "value_name": ("Name of a value of the picklist.", "high__v"),
    "user_id": ("Id of a user, or `me`.", "me"),
    "vault_id": ("Id of this Vault.", 10101),
    "switch_id": ("Id of a switch.", "3f9a1c02"),
    "token_id": ("Id of an access token.", "V0T000000000101"),
    "layout_name": ("Name of a page layout.", "product_detail_page_layout__c"),
    "role_name": ("Name of a role.", "viewer__v"),
    "role_name_and_user_or_group": (
        "`{role}.user` or `{role}.group`.",
        "editor__v.user",
    ),
    "holder_id": ("Id of the user or group that has the role.", 10001),
    "group_id": ("Id of a group.", 1358979070034),
    "queue_name": ("Name of a queue.", "medical_crm_outbound_queue__v"),
    "api_name": ("API name of a connection.", "medical_crm__v"),
    "certificate_id": ("Id of a certificate.", "00001"),
    "integration": ("API name of an integration.", "medical_inquiry_details__v"),
    "message_id": ("Id of a message.", "6f1c2a54-1c1b-4f0e-9d25-0a3f3c9e7b10"),
    "batch": ("Number of a batch of the run; the first is 1.", 1),
    "slice_number": ("Number of a slice of the reconciliation; the first is 1.", 1),
    "log_date": ("A day (UTC).", "2026-01-31"),
    "item": ("Path of a file or folder of the staging area.", "loads/products.csv"),
    "upload_session_id": ("Id of an upload session.", "1f6f9f7c0a8b4d2e"),
    "package_id": ("Id of a package's record.", "0PI000000000101"),
    "name": ("Name of a log of the package.", "deployment.log"),
    "document_id": ("Id of a document.", 7),
    "major": ("Major number of a version.", 0),
    "minor": ("Minor number of a version.", 1),
    "relationship_id": ("Id of a relationship between two documents.", 200),
    "template_name": ("Name of a document template.", "letter__c"),
    "event_type": ("Name of a type of document events.", "distribution__v"),
    "event_subtype": ("Name of a subtype of these events.", "approved_email__v"),
    "rendition_type": ("Name of a rendition type.", "viewable_rendition__v"),
    "subtype_name": (
        "Name of a document subtype, without the name of its type.",
        "leaflet__c",
    ),
    "classification_name": (
        "Name of a document classification, without the names of the levels above it.",
        "folded__c",
    ),
    "attachment_id": ("Id of an attachment.", 12),
    "attachment_version": ("Number of a version of an attachment.", 1),
    "part_name": ("Name of a part of a file.", "10101-20260115-0930-N.001"),
    "schema_id": ("Id of a schema.", "urn:ietf:params:scim:schemas:core:2.0:User"),
    "kind": ("Id of a type of resources.", "User"),
    "endpoint": (
        "`SecurityProfiles`, `SecurityPolicies` or `LicenseTypes`.",
        "SecurityProfiles",
    ),
    "resource_id": ("Id of a resource.", "business_user__v"),
    "audit_trail_type": ("Name of an audit trail.", "object_audit_trail"),
}
"""Parameters in paths: name → description and example."""

OTHER = {
    "limit": "How many entries to return at most.",
    "queue": "Name of a queue.",
    "after": "The last entry of the previous page.",
    "offset": "How many entries to skip.",
    "page_size": "How many entries to list at most.",
    "start": "How many entries to skip.",
    "cursor": "Where the page begins: the value in the previous page's `next_page`.",
    "pagesize": "Records in a page; by default as many as in the query's first page.",
    "pageoffset": "How many records come before the page.",
    "fields": "Names of fields, separated by commas.",
    "sort": "A field, followed by `asc` or `desc`.",
    "filter": "`name__v::`, followed by the name of a permission.",
    "username": "The user who wants to sign in; may be a form field as well.",
    "vaults": "`all`, or ids of Vaults.",
    "include_application": "Whether to include the application of the Vault.",
    "operation": "`upsert`, together with `idParam`.",
    "idParam": "A unique field by which rows identify their record.",
    "exclude_vault_membership": "`false` adds `vault_membership`.",
    "exclude_app_licensing": "`false` adds `app_licensing`.",
    "format_result": "`csv` returns the list as CSV; `json` is the default.",
    "item": "Path of the folder; the root folder by default.",
    "all_dates": "`true` returns entries of all dates.",
    "sendNotification": "Whether the user is notified when the job ends.",
    "Range": "`bytes=0-1023` for a part of the file.",
    "Content-MD5": "The MD5 of the content; content with another MD5 is refused.",
    "X-VaultAPI-FilePartNumber": "The number of the part; the first is 1.",
}
"""Parameters in queries and headers: name → description, where the route has none."""


def version_parameter(pattern: str) -> dict[str, object]:
    """Return the parameter ``version``, which every versioned path has and no endpoint declares."""
    description, example = PATH["version"]
    schema = {"type": "string", "pattern": f"^{pattern}$", "example": example}
    return {
        "name": "version",
        "in": "path",
        "required": True,
        "description": description,
        "schema": schema,
    }


def describe(parameter: dict[str, object]) -> None:
    """Add a description and an example to a parameter, unless the route has declared them."""
    name = str(parameter["name"])
    # Examples are for paths, which pages cannot call without one; other parameters may stay empty.
    if parameter["in"] != "path":
        if name in OTHER:
            parameter.setdefault("description", OTHER[name])
        return
    if name in PATH:
        text, example = PATH[name]
        parameter.setdefault("description", text)
        # A pattern or type of the route stays: only what is missing is added.
        parameter.setdefault("example", example)
