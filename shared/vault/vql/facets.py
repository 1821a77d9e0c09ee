"""Compiles facets: how many records of a result have which value of a field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.vault.model.component_model import Field, FieldType
from shared.vault.vql.compiler import CompiledQuery
from shared.vault.vql.resolve import quoted
from shared.vault.vql.vql_errors import VqlLimitError, VqlNameError

MAX_FACETS = 20  # fields of one request
MAX_VALUES = 50  # shown of one field, the documented limit

_FACETABLE = frozenset((FieldType.PICKLIST, FieldType.BOOLEAN, FieldType.OBJECT))
_STATES = frozenset(("state__v", "lifecycle__v", "object_type__v"))


@dataclass(frozen=True, slots=True)
class Facet:
    """A statement that yields ``value, result_count, count``, the most frequent values first.

    ``count`` is the number of distinct values, the same in each row. Parameters are those of the query's matching.
    """

    field: Field
    sql: str
    parameters: tuple[object, ...]


def facets_of(compiled: CompiledQuery, names: Sequence[str]) -> list[Facet]:
    """The facets of a compiled query's result by these fields of its object; raises VqlNameError, VqlLimitError."""
    if len(names) > MAX_FACETS:
        message = f"facets are counted of at most {MAX_FACETS} fields"
        raise VqlLimitError(message)
    return [_facet(compiled, name) for name in dict.fromkeys(names)]


def _facet(compiled: CompiledQuery, name: str) -> Facet:
    field = compiled.source.fields.get(name)
    if field is None or not (field.type in _FACETABLE or field.name in _STATES):
        message = (
            f"field [{name[:128]}] of object [{compiled.source.name}] cannot be a facet"
        )
        raise VqlNameError("INVALID_DATA", message)
    column = f"t0.{quoted(field.name)}"
    value = f"unnest({column})" if field.multi_value else f"{column}::text"
    sql = (
        f"SELECT value, count(*) AS result_count, count(*) OVER () AS count FROM (SELECT {value} AS value"
        f"{compiled.matching}) found WHERE value IS NOT NULL GROUP BY value ORDER BY 2 DESC, 1 LIMIT {MAX_VALUES}"
    )
    return Facet(field, sql, compiled.matching_parameters)
