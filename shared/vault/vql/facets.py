"""Compiles facets: how many records of a result have which value of a field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.protocol.error_types import ErrorType
from shared.vault.model.component_model import Field
from shared.vault.model.field_types import quoted, traits
from shared.vault.vql.compiler import CompiledQuery
from shared.vault.vql.vql_errors import VqlLimitError, VqlNameError

MAX_FACETS = 20  # fields of one request
MAX_VALUES = 50  # shown of one field, the documented limit
_STATES = frozenset(("state__v", "lifecycle__v", "object_type__v"))


@dataclass(frozen=True, slots=True)
class Facet:
    """A statement that yields ``value, result_count, count``, the most frequent values first.

    ``count`` is the number of distinct values, the same in each row. ``parameters`` are
    the values for the placeholders in ``sql``.
    """

    field: Field
    sql: str
    parameters: tuple[object, ...]


def facets_of(compiled: CompiledQuery, names: Sequence[str]) -> list[Facet]:
    """Return the facets of a compiled query's result by these fields of its object.

    :raises VqlNameError: a field cannot be a facet.
    :raises VqlLimitError: there are more than ``MAX_FACETS``.
    """
    if len(names) > MAX_FACETS:
        raise VqlLimitError(f"facets are counted of at most {MAX_FACETS} fields")
    distinct = dict.fromkeys(names)
    return [_facet(compiled, name) for name in distinct]


def _facet(compiled: CompiledQuery, name: str) -> Facet:
    field = compiled.source.fields.get(name)
    if field is None or not _is_facet(field):
        source = compiled.source.name
        message = f"field [{name[:128]}] of object [{source}] cannot be a facet"
        raise VqlNameError(ErrorType.INVALID_DATA, message)
    # The object selected from has the first alias of every statement.
    column = f"t0.{quoted(field.name)}"
    value = f"unnest({column})" if field.multi_value else f"{column}::text"
    # The window counts groups, so that it is the number of values also of those behind LIMIT.
    sql = (
        f"SELECT value, count(*) AS result_count, count(*) OVER () AS count FROM (SELECT {value} AS value"
        f"{compiled.matching}) found WHERE value IS NOT NULL GROUP BY value ORDER BY 2 DESC, 1 LIMIT {MAX_VALUES}"
    )
    return Facet(field, sql, compiled.matching_parameters)


def _is_facet(field: Field) -> bool:
    return traits(field.type).faceted or field.name in _STATES
