"""Fills templates of cover letters with fields of a Case Request that their author may read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from shared.protocol.error_types import ErrorType
from shared.vault import vql
from shared.vault.access.permissions import profile_reads
from shared.vault.components.component_errors import ComponentError
from shared.vault.components.configured_queries import (
    readable_paths,
    rendered,
    token_paths,
    value_text,
)
from shared.vault.errors import VaultFault
from shared.vault.fulfillment.fulfillment_model import REQUEST, TEMPLATE
from shared.vault.model.component_model import FieldType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.queries.queries import QueryService

API = "v25.1"


class CoverLetters:
    """Fills templates; a token in an inserted value stays text."""

    def __init__(self, components: ComponentService, queries: QueryService) -> None:
        self._components = components
        self._queries = queries

    async def filled(self, caller: Caller, template: str, request: str) -> str:
        """Return the text of a template for a Case Request, with a dash for values that the caller may not read.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not read one of the two; INVALID_DATA when there is
            no such template or request, or a token names no field.
        """
        # Through JSON, since long texts are fragments of it.
        record = _plain(await self._queries.record(caller, TEMPLATE, template))
        body = str(record.get("body__v") or "")
        registry = self._components.registry
        try:
            paths = token_paths(body)
            reads = profile_reads(caller.profile)
            shown = readable_paths(paths, REQUEST, registry, reads)
        except (vql.VqlError, ComponentError) as error:
            name = record.get("name__v")
            message = f"The template [{name}] cannot be filled: {error}"
            raise VaultFault(ErrorType.INVALID_DATA, message) from error
        values = await self._values(caller, shown, request)
        return rendered(body, values, shown)

    async def _values(
        self, caller: Caller, paths: Iterable[str], request: str
    ) -> dict[str, str]:
        """Return the values of a Case Request as text, by their paths."""
        columns = ", ".join(["id", *map(self._column, paths)])
        record = vql.literal(request)
        statement = f"SELECT {columns} FROM {REQUEST} WHERE id = {record}"
        page = await self._queries.run(caller, statement, version_path=API)
        if not page.rows:
            message = "There is no Case Request with this id"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        row = _plain(page.rows[0])
        return {path: value_text(row.get(path)) for path in paths}

    def _column(self, path: str) -> str:
        """Return a field as a query selects it; a long text in full."""
        fields = self._components.registry.objects[REQUEST].fields
        field = fields.get(path)
        is_long = field is not None and field.type is FieldType.LONG_TEXT
        return f"LONGTEXT({path}) AS {path}" if is_long else path


def _plain(row: Any) -> dict[str, Any]:
    """Return a row of a query with its JSON fragments decoded."""
    read: dict[str, Any] = orjson.loads(orjson.dumps(row))
    return read
