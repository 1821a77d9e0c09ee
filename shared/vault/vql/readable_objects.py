"""Restricts rows about records of many objects, such as audit entries, to the objects that a caller may read."""

from __future__ import annotations

from collections.abc import Callable, Iterable

NO_OBJECT = ""
"""The name of no object: it is readable where objects are that the permissions do not name."""


def readable_objects(
    names: Iterable[str],
    readable: Callable[[str], bool],
) -> tuple[str, list[str]]:
    """Return operator and names of a condition on a column of object names, ``column {operator}(names)``.

    ``names`` are the objects that there are. Entries about others, which have been dropped, are readable like objects
    that the permissions do not name.
    """
    of_others = readable(NO_OBJECT)
    listed = [name for name in names if readable(name) is not of_others]
    operator = "<> ALL" if of_others else "= ANY"
    return operator, listed
