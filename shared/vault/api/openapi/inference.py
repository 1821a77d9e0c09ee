"""Reads JSON Schema from examples, so that the document's schemas and examples cannot disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

Schema = dict[str, object]

NAMES = {bool: "boolean", int: "integer", float: "number", str: "string"}


def schema_of(examples: Sequence[object], free: Sequence[str] = ()) -> Schema:
    """Return the narrowest schema that all examples satisfy.

    ``free`` are paths (``data``, ``users.user``) of objects with arbitrary members, such as records; lists do not count
    in a path. No member is required, since an answer omits what does not apply. A member that is null in some examples
    is nullable; a member that is null in all examples has no type.
    """
    kinds = [_kind(each, examples, free) for each in _types(examples)]
    if kinds and None in examples:
        kinds.append({"type": "null"})
    if len(kinds) > 1:
        return {"anyOf": kinds}
    return kinds[0] if kinds else {}


def _types(examples: Sequence[object]) -> list[type]:
    """Return the types of the examples, in the order in which they appear."""
    values = (example for example in examples if example is not None)
    # A dict, not a set: the same examples must give the same document each time.
    types = list(dict.fromkeys(type(value) for value in values))
    # Integers among fractions are numbers like them.
    return [each for each in types if not (each is int and float in types)]


def _kind(kind: type, examples: Sequence[object], free: Sequence[str]) -> Schema:
    """Return the schema of the examples of one type."""
    if kind in NAMES:
        return {"type": NAMES[kind]}
    if kind is list:
        lists = [example for example in examples if isinstance(example, list)]
        items = list(chain.from_iterable(lists))
        return {"type": "array", "items": schema_of(items, free)}
    if "" in free:
        return {"type": "object", "additionalProperties": True}
    objects = [example for example in examples if isinstance(example, Mapping)]
    names = dict.fromkeys(chain.from_iterable(objects))
    properties: dict[str, object] = {}
    for name in names:
        values = [each[name] for each in objects if name in each]
        properties[name] = schema_of(values, _below(name, free))
    return {"type": "object", "properties": properties}


def _below(name: str, free: Sequence[str]) -> list[str]:
    """Return the rest of those paths that begin with the member ``name``."""
    heads = (path.partition(".") for path in free)
    return [rest for head, _, rest in heads if head == name]
