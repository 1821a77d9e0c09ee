"""Refuses JSON objects that name a member twice, of which a decoder keeps only the last value."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault

_SPACE = b" \t\n\r"
_NAME_END = b'":'


def refuse_repeated_members(text: bytes, rows: Sequence[Mapping[str, object]]) -> None:
    """Check that no object of a JSON text has two members of one name; ``rows`` are the objects as decoded.

    :raises VaultFault: INVALID_DATA, naming the first such member.
    """
    # Without white space, each name ends in these two characters. Where they are as many as members, no name is
    # repeated; more of them may stand in values, and then every object is looked at.
    names = text.translate(None, _SPACE).count(_NAME_END)
    if names == sum(map(len, rows)):
        return
    try:
        json.loads(text, object_pairs_hook=_refuse, parse_int=str, parse_float=str)
    except RecursionError as error:
        message = "The body cannot be read: it is nested too deeply"
        raise VaultFault(ErrorType.INVALID_DATA, message) from error


def _refuse(members: Sequence[tuple[str, object]]) -> None:
    seen: set[str] = set()
    for name, _ in members:
        if name in seen:
            message = f"The body cannot be read: an object has [{name[:100]}] twice"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        seen.add(name)
