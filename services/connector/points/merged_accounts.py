"""Reads which accounts have been merged into which, by their Links, as the Medical Vault remembers it."""

from __future__ import annotations

from collections.abc import Iterable

from services.connector.points.evaluation import query_all
from services.connector.points.transfer import Transfer
from services.connector.rules.rows import statements
from shared.client.results import text

MERGE = "account_merge__v"
LINK = "link__sys"
MAIN_LINK = "main_link__v"
_HEAD = f"SELECT {LINK}, {MAIN_LINK} FROM {MERGE}"  # noqa: S608  VQL of names


async def main_links(
    unit: Transfer,
    links: Iterable[str],
) -> dict[str, str]:
    """Return the Link of the account that is left in the end, by the Link of each account that was merged.

    :raises ClientError: one of the calls fails.
    """
    # A Medical Vault may be configured without merges.
    if MERGE not in unit.configuration.targets:
        return {}
    into: dict[str, str] = {}
    asked: dict[str, None] = {}
    unknown = dict.fromkeys(links)
    # Nearly always once: only an account that has been merged may have been merged further.
    while unknown:
        asked |= unknown
        rows = await query_all(unit.target, statements(_HEAD, LINK, unknown))
        found = {text(row, LINK): text(row, MAIN_LINK) for row in rows}
        into |= found
        unknown = dict.fromkeys(main for main in found.values() if main not in asked)
    return {link: _end(link, into) for link in into}


def _end(
    link: str,
    into: dict[str, str],
) -> str:
    """Return where a chain of merges ends; a circle, which only a mistake makes, leads nowhere."""
    seen = [link]
    while into.get(seen[-1]):
        following = into[seen[-1]]
        if following in seen:
            return link
        seen.append(following)
    return seen[-1]
