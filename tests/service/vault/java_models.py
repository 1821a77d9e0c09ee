"""The types that the vendor's Java client declares for answers: a table for each, from member to Java type."""

from __future__ import annotations

from tests.service.vault.java_client import Integer, Long, Types

ERRORS: Types = {
    "responseStatus": str,
    "responseMessage": str,
    "errors[].type": str,
    "errors[].message": str,
}
JOB_CREATED: Types = {"job_id": Integer, "url": str}
RECORD: Types = {
    "data.id": str,
    "data.name__v": str,
    "data.status__v": list,
    "data.state__v": list,
    "data.lifecycle__v": list,
    "data.created_by__v": Integer,
    "data.modified_by__v": Integer,
    "data.created_date__v": str,
    "data.global_id__sys": str,
}
ROWS: Types = {
    "data[].responseStatus": str,
    "data[].data.id": str,
    "data[].data.url": str,
    "data[].errors": list,
}
JOB: Types = {
    f"{head}{name}": kind
    for head in ("data.", "jobs[].")
    for name, kind in {
        **dict.fromkeys(("id", "job_id", "created_by", "modified_by"), Integer),
        **dict.fromkeys(
            (
                "status",
                "title",
                "method",
                "created_date",
                "run_start_date",
                "run_end_date",
            ),
            str,
        ),
        "links": list,
    }.items()
}
DETAILS: Types = {
    f"responseDetails.{name}": kind
    for name, kind in {
        **dict.fromkeys(
            ("pagesize", "pageoffset", "size", "total", "limit", "offset"), Integer
        ),
        **dict.fromkeys(("next_page", "previous_page", "url"), str),
    }.items()
}
FIELD = {
    **dict.fromkeys(
        (
            "name",
            "label",
            "type",
            "source",
            "picklist",
            "relationship_type",
            "help_content",
        ),
        str,
    ),
    **dict.fromkeys(
        (
            "required",
            "unique",
            "editable",
            "encrypted",
            "facetable",
            "list_column",
            "multi_value",
        ),
        bool,
    ),
    **dict.fromkeys(
        ("max_length", "scale", "order", "created_by", "modified_by"), Integer
    ),
    "status": list,
}
OBJECT: Types = {
    **{
        f"object.{name}": kind
        for name, kind in {
            **dict.fromkeys(
                (
                    "name",
                    "label",
                    "label_plural",
                    "prefix",
                    "description",
                    "object_class",
                    "source",
                ),
                str,
            ),
            **dict.fromkeys(
                (
                    "allow_attachments",
                    "auditable",
                    "in_menu",
                    "system_managed",
                    "dynamic_security",
                ),
                bool,
            ),
            **dict.fromkeys(("order", "created_by", "modified_by"), Integer),
            **dict.fromkeys(
                ("status", "available_lifecycles", "object_types", "relationships"),
                list,
            ),
            "urls": dict,
        }.items()
    },
    **{f"object.fields[].{name}": kind for name, kind in FIELD.items()},
    "object.relationships[].object.name": str,
}
USER: Types = {
    f"users[].user.{name}": kind
    for name, kind in {
        **dict.fromkeys(
            (
                "id",
                "domain_id__v",
                "security_policy_id__v",
                "created_by__v",
                "modified_by__v",
            ),
            Integer,
        ),
        **dict.fromkeys(
            (
                "user_name__v",
                "user_email__v",
                "last_login__v",
                "security_profile__v",
                "license_type__v",
            ),
            str,
        ),
        **dict.fromkeys(("active__v", "domain_active__v", "is_domain_admin__v"), bool),
        **dict.fromkeys(("vault_id__v", "group_id__v"), list),
    }.items()
}
GROUP: Types = {
    f"groups[].group.{name}": kind
    for name, kind in {
        **dict.fromkeys(
            ("name__v", "label__v", "type__v", "group_description__v"), str
        ),
        **dict.fromkeys(("active__v", "editable__v", "system_group__v"), bool),
        **dict.fromkeys(("members__v", "security_profiles__v"), list),
        **dict.fromkeys(("created_by__v", "modified_by__v"), Integer),
        "id": Long,
    }.items()
}
QUEUE: Types = {
    **dict.fromkeys(
        (
            "data[].name",
            "data[].status",
            "data[].type",
            "data[].url",
            "data[].delivery",
        ),
        str,
    ),
    "data[].messages_in_queue": Integer,
    "data[].connections[].name": str,
    "data[].connections[].last_message_delivered": str,
    "data[].connections[].error": dict,
}
PACKAGE: Types = {
    **dict.fromkeys(
        (
            f"responseDetails.{name}"
            for name in ("author", "package_name", "package_status")
        ),
        str,
    ),
    "responseDetails.total_steps": Integer,
    "responseDetails.package_steps": list,
}
STAGED: Types = {
    **dict.fromkeys(
        (
            "data.path",
            "data.name",
            "data.id",
            "data.file_content_md5",
            "data.expiration_date",
        ),
        str,
    ),
    **dict.fromkeys(
        ("data.uploaded_parts", "data.owner", "data.job_id", "data.part_number"),
        Integer,
    ),
    **dict.fromkeys(("data.size", "data.uploaded"), Long),
    "data.overwrite": bool,
}
ATTACHMENT: Types = {
    **dict.fromkeys(
        (f"data[].{name}" for name in ("id", "version__v", "size__v", "created_by__v")),
        Integer,
    ),
    **dict.fromkeys(
        (f"data[].{name}" for name in ("filename__v", "format__v", "md5checksum__v")),
        str,
    ),
    **dict.fromkeys(
        (f"data[].{name}" for name in ("external_id__v", "created_date__v")), str
    ),
    "data[].versions[].version__v": Integer,
    "data[].versions[].url": str,
}
# Its answer to an added file has the id as text, which the client reads as a number.
ADDED: Types = {"data[].id": str, "data[].version__v": Integer}
AUDIT: Types = {
    **DETAILS,
    "data[].id": str,
    "data[].timestamp": str,
    "data[].user_name": str,
    "audittrails[].name": str,
}
