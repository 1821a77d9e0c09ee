"""Makes the query targets that are not objects: component records, the older view of users, groups and members."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.vault import vql
from shared.vault.access.permissions import Grant, authorize
from shared.vault.audit.trails import query_targets as audit_targets
from shared.vault.components.description import configuration_json
from shared.vault.components.mdl_writing import render
from shared.vault.model.component_model import (
    Field,
    FieldType,
    RelationshipType,
    VaultObject,
)
from shared.vault.queries.attachment_target import attachment_target
from shared.vault.queries.document_target import document_target, relationship_target
from shared.vault.queries.user_target import USER, user_target
from shared.vault.queries.workflow_targets import workflow_targets

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.component_tree import Component
    from shared.vault.components.registry import Registry
    from shared.vault.vql.targets import Components

COMPONENT = "vault_component__v"
DEFINITIONS = {
    "mdl_definition__v": "MDL Definition",
    "json_definition__v": "JSON Definition",
}
GROUP = "group__sys"
GROUPS = "groups"
MEMBERSHIP = "group_membership__sys"
# The to-many relationship of users and of groups.
MEMBERSHIPS = "group_membership__sysr"

AUDIT = "created_by AS created_by__v, created_date AS created_date__v, modified_by AS modified_by__v,"
GROUP_ROWS = f"""(SELECT id::text AS id, name AS name__v, label AS label__v,
    CASE WHEN active THEN 'active__v' ELSE 'inactive__v' END AS status__v, description AS description__sys,
    system_group AS system_group__sys,
    CASE WHEN system_group THEN 'system_managed__sys' ELSE 'user_managed__sys' END AS type__sys,
    {AUDIT} modified_date AS modified_date__v FROM platform.user_group)"""
GROUPS_ROWS = f"""(SELECT id::text AS id, name AS name__v, label AS label__v, active AS active__v,
    description AS group_description__v, system_group AS system_group__v, NOT system_group AS editable__v,
    CASE WHEN system_group THEN 'System Provided Group' ELSE 'User Managed Group' END AS type__v,
    {AUDIT} modified_date AS modified_date__v FROM platform.user_group)"""
# Members by their own membership, and those whose security profile makes them so.
MEMBERSHIP_ROWS = """(SELECT group_id || '_' || user_id AS id, group_id::text AS group_id__sys,
    user_id::text AS user_id__sys FROM (
        SELECT group_id, user_id FROM platform.user_group_member
        UNION SELECT g.id, c.user_id FROM platform.user_group g JOIN platform.credential c
            ON c.active AND c.security_profile = ANY(g.security_profiles)) members)"""


def targets_of(registry: Components) -> dict[str, vql.Target]:
    """Return the query targets of a Vault besides the objects of its registry, by name."""
    found = vql.registry_targets(registry)
    own = [_groups(), _older_groups()]
    # Users are an object of the standard configuration: a Vault without it has no targets over it either.
    user = registry.objects.get(USER)
    if user is not None:
        own += [user_target(user), _memberships()]
    for target in own:
        name = target.object.name
        # An object of the configuration comes before a target of the same name.
        if name not in registry.objects:
            found[name] = target
    for owner in registry.objects.values():
        if owner.allow_attachments:
            attachments = attachment_target(owner)
            name = attachments.object.name
            found[name] = attachments
    found |= audit_targets()
    found |= workflow_targets()
    documents = document_target(registry.documents)
    if documents is not None:
        found[documents.object.name] = documents
        relationships = relationship_target()
        found[relationships.object.name] = relationships
    return found


def _groups() -> vql.Target:
    queried = _queried_object(
        GROUP,
        "Group",
        *_named(),
        Field(
            "status__v",
            "Status",
            FieldType.PICKLIST,
            editable=False,
            picklist="default_status__v",
        ),
        _text("description__sys", "Description"),
        Field("system_group__sys", "System Group", FieldType.BOOLEAN, editable=False),
        Field(
            "type__sys",
            "Type",
            FieldType.PICKLIST,
            editable=False,
            picklist="group_types__sys",
        ),
        *_audit(),
    )
    return vql.Target(queried, relation=GROUP_ROWS)


def _older_groups() -> vql.Target:
    queried = _queried_object(
        GROUPS,
        "Group",
        *_named(),
        Field("active__v", "Active", FieldType.BOOLEAN, editable=False),
        _text("group_description__v", "Description"),
        Field("system_group__v", "System Group", FieldType.BOOLEAN, editable=False),
        Field("editable__v", "Editable", FieldType.BOOLEAN, editable=False),
        _text("type__v", "Type"),
        *_audit(),
    )
    return vql.Target(queried, relation=GROUPS_ROWS)


def _memberships() -> vql.Target:
    user = _membership_of("user_id__sys", "User", USER, "user__sysr")
    group = _membership_of("group_id__sys", "Group", GROUP, "group__sysr")
    queried = _queried_object(MEMBERSHIP, "Group Membership", _id(), user, group)
    return vql.Target(queried, relation=MEMBERSHIP_ROWS)


def _membership_of(
    name: str,
    label: str,
    target: str,
    outbound: str,
) -> Field:
    return Field(
        name,
        label,
        FieldType.OBJECT,
        editable=False,
        object=target,
        relationship_type=RelationshipType.PARENT,
        relationship_outbound_name=outbound,
        relationship_inbound_name=MEMBERSHIPS,
    )


def _queried_object(name: str, label: str, *fields: Field) -> VaultObject:
    by_name = {field.name: field for field in fields}
    return VaultObject(name, label, f"{label}s", "", fields=by_name)


def _named() -> tuple[Field, ...]:
    return _id(), _text("name__v", "Name"), _text("label__v", "Label")


def _id() -> Field:
    return Field(
        "id",
        "ID",
        FieldType.ID,
        required=True,
        unique=True,
        editable=False,
        system=True,
    )


def _text(name: str, label: str) -> Field:
    return Field(name, label, FieldType.STRING, editable=False)


def _audit() -> tuple[Field, ...]:
    return (
        Field("created_by__v", "Created By", FieldType.NUMBER, editable=False),
        Field("created_date__v", "Created Date", FieldType.DATE_TIME, editable=False),
        Field("modified_by__v", "Last Modified By", FieldType.NUMBER, editable=False),
        Field(
            "modified_date__v",
            "Last Modified Date",
            FieldType.DATE_TIME,
            editable=False,
        ),
    )


# Definitions of components: what each component is, as MDL and as JSON


def with_definitions(
    targets: vql.Targets,
    registry: Registry,
    caller: Caller,
) -> vql.Targets:
    """Return the targets with definitions in the records of components.

    :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not read the configuration.
    """
    authorize(caller, Grant.READ_CONFIGURATION)
    target = targets[COMPONENT]
    # The rows were made of these components, in this order.
    known = json.loads(target.rows or "[]")
    pairs = zip(known, registry.components.values(), strict=True)
    rows = [{**row, **_definitions(component)} for row, component in pairs]
    fields = dict(target.object.fields)
    for name, label in DEFINITIONS.items():
        fields[name] = Field(name, label, FieldType.STRING, editable=False)
    shown = replace(target.object, fields=fields)
    defined = replace(target, object=shown, rows=json.dumps(rows))
    return {**targets, COMPONENT: defined}


def _definitions(component: Component) -> dict[str, str]:
    document = configuration_json(component)
    text = json.dumps(document, ensure_ascii=False)
    return {
        "mdl_definition__v": render(component),
        "json_definition__v": text,
    }
