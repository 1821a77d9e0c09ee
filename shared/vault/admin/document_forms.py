"""Makes form inputs from a document's fields, and the fields of a document call from a submitted form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared.vault.admin.inputs import BLANK, Input, InputKind, inputs
from shared.vault.documents.versions import LEVELS, LIFECYCLE

if TYPE_CHECKING:
    from shared.vault.admin.page_context import PageContext
    from shared.vault.model.component_model import DocumentModel, Field, VaultObject

# Chosen in one input, and sent as the three levels that it consists of.
TYPE = "document_type"
# Fields that the form leaves out; they can be set by the API.
LEFT_OUT = frozenset(
    {"link__sys", "version_link__sys", "global_id__sys", "global_version_id__sys"}
)


def editable_fields(versions: VaultObject) -> list[Field]:
    """Return the fields of documents that a user may fill in."""
    return [
        field
        for field in versions.fields.values()
        if field.active
        and field.editable
        and not field.system
        and field.name not in LEFT_OUT
    ]


async def field_inputs(
    context: PageContext, versions: VaultObject, values: Mapping[str, Any]
) -> list[Input]:
    """Return the inputs of a document's own fields, filled with the values of a form or of a stored version."""
    return await inputs(context, versions, editable_fields(versions), values)


def choice_inputs(model: DocumentModel, form: Mapping[str, str]) -> list[Input]:
    """Return the inputs that only a new document has: its type, and its lifecycle where the type has several."""
    types = [
        (each.name, _path(model, each.name))
        for each in model.types.values()
        if each.active
    ]
    lifecycles = [
        (each.name, each.label) for each in model.lifecycles.values() if each.active
    ]
    return [
        Input(
            TYPE,
            "Type",
            InputKind.SELECT,
            form.get(TYPE, ""),
            options=(BLANK, *sorted(types, key=lambda each: each[1])),
            required=True,
        ),
        Input(
            LIFECYCLE,
            "Lifecycle",
            InputKind.SELECT,
            form.get(LIFECYCLE, ""),
            options=(BLANK, *lifecycles),
            help="empty: that of the type",
        ),
    ]


def _path(model: DocumentModel, name: str) -> str:
    """Return the labels of a type and of those above it."""
    parts = name.split(".")
    names = [".".join(parts[: number + 1]) for number in range(len(parts))]
    return " > ".join(model.types[each].label for each in names if each in model.types)


def chosen(form: Mapping[str, str]) -> dict[str, str]:
    """Return type and lifecycle of a form in the format of a document call."""
    levels = dict(zip(LEVELS, form.get(TYPE, "").split("."), strict=False))
    lifecycle = form.get(LIFECYCLE, "")
    return {**levels, LIFECYCLE: lifecycle} if lifecycle else levels


def as_texts(row: Mapping[str, object]) -> dict[str, str]:
    """Return values of a form as the texts of a document call; several values of one field are separated by commas."""
    return {
        name: ",".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in row.items()
    }
