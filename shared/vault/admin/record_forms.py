"""Shows the forms of records: of a new one, and of a stored one with the changes in a refused form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from shared.vault.admin.error_advice import labelled
from shared.vault.admin.fault_pages import status_of
from shared.vault.admin.field_errors import at_fields, with_error_texts
from shared.vault.admin.guided_forms import guide_of
from shared.vault.admin.inputs import digests, editable, inputs
from shared.vault.admin.showing import record_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.responses import Response

    from shared.vault.admin.form_needs import UnmetCriteria
    from shared.vault.admin.guided_forms import Guide
    from shared.vault.admin.inputs import Input
    from shared.vault.admin.page_context import PageContext
    from shared.vault.errors import ApiError
    from shared.vault.model.component_model import VaultObject

MODIFIED = "modified_date__v"


async def create_form(
    context: PageContext,
    target: VaultObject,
    values: Mapping[str, Any],
    errors: Sequence[ApiError],
    unmet: UnmetCriteria | None = None,
) -> Response:
    """Show the form of a new record with these values; ``unmet`` has the entry criteria that they do not meet."""
    fields = editable(context, target, creating=True)
    # Records are created active: the form shows it, and a user can change it.
    shown = await inputs(context, target, fields, {"status__v": "active__v", **values})
    back = f"/ui/objects/{quote(target.name)}"
    common = {"back": back, "read": "", "heading": "Create"}
    guide = await guide_of(context, target)
    return await _form(context, target, shown, errors, common, guide, unmet)


async def edit_form(
    context: PageContext,
    target: VaultObject,
    record: Mapping[str, Any],
    row: Mapping[str, Any],
    errors: Sequence[ApiError],
    unmet: UnmetCriteria | None = None,
) -> Response:
    """Show the form of a record; ``row`` has the values of a refused form, ``unmet`` the criteria not met by them."""
    shown = await inputs(context, target, editable(context, target), {**record, **row})
    back = record_path(target.name, record["id"])
    heading = f"Edit {record.get('name__v') or record['id']}"
    read, shown_digests = record[MODIFIED], digests(editable(context, target), record)
    common = {"back": back, "read": read, "shown": shown_digests, "heading": heading}
    guide = await guide_of(context, target, record)
    return await _form(context, target, shown, errors, common, guide, unmet)


async def _form(
    context: PageContext,
    target: VaultObject,
    shown: Sequence[Input],
    errors: Sequence[ApiError],
    common: Mapping[str, object],
    guide: Guide | None,
    unmet: UnmetCriteria | None = None,
) -> Response:
    """Show a form, each error at its field; errors name fields by the labels on the page."""
    placed = (
        with_error_texts(shown, unmet.texts_by_field(target))
        if unmet
        else at_fields(shown, errors)
    )
    sections = guide.sections(placed) if guide else None
    return context.page(
        "guided.html" if sections else "edit.html",
        status_of(errors[0]) if errors else 200,
        **common,
        target=target,
        inputs=placed,
        errors=labelled(errors, target.fields.values()),
        guide=guide,
        sections=sections,
    )
