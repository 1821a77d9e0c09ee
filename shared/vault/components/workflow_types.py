"""Declares the component type of object workflows, whose steps are described in XML."""

from __future__ import annotations

from shared.vault.components.component_kinds import ComponentKind, PartKind
from shared.vault.components.lifecycle_types import LIFECYCLE
from shared.vault.components.object_types import LABEL_LENGTH
from shared.vault.components.specification import (
    ComponentType,
    NameRule,
    by_name,
    component,
    enum,
    flag,
    text,
    xml,
)

WORKFLOW_TARGETS = frozenset(
    f"{phase}_{part}__sys"
    for phase in ("active", "inactive")
    for part in ("workflow", "workflow_item", "workflow_task", "workflow_task_item")
)
"""The query targets of workflows."""

_MAX_NAME = 255

# Exports of other Vaults have steps that are not carried out here: all of it comes back as it was written.
_STEP = ComponentType(
    PartKind.WORKFLOW_STEP,
    "Object Workflow Step",
    "Object Workflow Steps",
    "OWS",
    by_name(
        text("label", LABEL_LENGTH),
        text("type", 60),
        component("next_steps", PartKind.WORKFLOW_STEP, multi_value=True),
        text("tags", 255, multi_value=True),
        xml("step_detail"),
        text("description", 500),
    ),
    name_rule=NameRule.FREE,
    max_name_length=_MAX_NAME,
    open=True,
    stored_only=True,
)
_CANCELATION = ComponentType(
    "Workflowcancelationaction",
    "Workflow Cancelation Action",
    "Workflow Cancelation Actions",
    "OWC",
    by_name(xml("rule")),
    name_rule=NameRule.FREE,
    max_name_length=_MAX_NAME,
    open=True,
    stored_only=True,
)

WORKFLOW = ComponentType(
    ComponentKind.WORKFLOW,
    "Object Workflow",
    "Object Workflows",
    "OWF",
    by_name(
        text("label", LABEL_LENGTH),
        flag("active"),
        component("object_lifecycles", LIFECYCLE.name, multi_value=True),
        component(
            "document_lifecycles", ComponentKind.DOCUMENT_LIFECYCLE, multi_value=True
        ),
        text("description", 500),
        flag("auto_start"),
        flag("cancellation_comment"),
        enum("cardinality", ("One", "OneOrMany")),
        text("workflow_content_type", 60),
        xml("workflow_variables"),
    ),
    {PartKind.WORKFLOW_STEP: _STEP, _CANCELATION.name: _CANCELATION},
    name_rule=NameRule.FREE,
    max_name_length=_MAX_NAME,
    open=True,
    stored_only=True,
)
