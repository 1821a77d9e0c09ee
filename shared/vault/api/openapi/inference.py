"""JSON Schema from examples: the answers shown are what the answers' types are read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Schema = dict[str, object]

NAMES = {bool: "boolean", int: "integer", float: "number", str: "string"}


def schema_of(examples: Sequence[object], free: Sequence[str] = ()) -> Schema:
    """The schema that all examples satisfy, and no narrower than their types.

    ``free`` are paths (``data``, ``users.user``) of objects with members of their own, such as records; lists do
    not count in a path. No member is required, since what an answer has nothing to say of it leaves out. A null
    beside values makes a member nullable; alone it says nothing of the type.
    """
    kinds = [_kind(each, examples, free) for each in _types(examples)]
    if kinds and None in examples:
        kinds.append({"type": "null"})
    if len(kinds) > 1:
        return {"anyOf": kinds}
    return kinds[0] if kinds else {}


def _types(examples: Sequence[object]) -> list[type]:
    """The types among the examples, in the order in which they appear; integers among fractions are numbers."""
    types = list(
        dict.fromkeys(type(example) for example in examples if example is not None)
    )
    return [each for each in types if not (each is int and float in types)]


def _kind(kind: type, examples: Sequence[object], free: Sequence[str]) -> Schema:
    if kind in NAMES:
        return {"type": NAMES[kind]}
    if kind is list:
        items = [
            item
            for example in examples
            if isinstance(example, list)
            for item in example
        ]
        return {"type": "array", "items": schema_of(items, free)}
    objects = [example for example in examples if isinstance(example, Mapping)]
    if "" in free:
        return {"type": "object", "additionalProperties": True}
    names = dict.fromkeys(name for each in objects for name in each)
    properties = {
        name: schema_of(
            [each[name] for each in objects if name in each], _below(name, free)
        )
        for name in names
    }
    return {"type": "object", "properties": properties}


def _below(name: str, free: Sequence[str]) -> list[str]:
    """Paths as seen from the member ``name``."""
    heads = (path.partition(".") for path in free)
    return [rest for head, _, rest in heads if head == name]
