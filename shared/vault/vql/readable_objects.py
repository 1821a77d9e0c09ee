"""Restricts rows about records of many objects, such as audit entries, to the objects that a caller may read."""

from __future__ import annotations

from collections.abc import Callable, Collection


def readable_objects(
    names: Collection[str],
    readable: Callable[[str], bool],
) -> tuple[str, list[str]]:
    """Return operator and names of a condition on a column of object names, ``column {operator}(names)``.

    ``names`` are the existing objects. Rows about dropped or renamed objects can be read by callers who may read all
    objects, since the rights to those are no longer known.
    """
    listed = [name for name in names if readable(name)]
    if len(listed) == len(names):
        return "<> ALL", []
    return "= ANY", listed
