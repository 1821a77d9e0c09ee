"""Decides whether a Vault may send messages to an address, by a list that its operator configures."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from yarl import URL

from shared.protocol.plain_paths import is_plain_path

# A name in ASCII, or an address of IPv4 or IPv6.
HOST = re.compile(r"[a-z0-9.:-]+")
SCHEMES = ("https", "http")


@dataclass(frozen=True, slots=True)
class AllowedAddresses:
    """The addresses of a list, and all addresses below them."""

    urls: tuple[URL, ...]

    @classmethod
    def listed(cls, texts: Iterable[str]) -> AllowedAddresses:
        """Return the addresses of a list.

        :raises ValueError: when one of the texts is not a plain address.
        """
        urls = []
        for text in texts:
            url = read_address(text)
            if url is None:
                message = (
                    f"[{text}] is not an https address without user, query and dots"
                )
                raise ValueError(message)
            urls.append(url)
        return cls(tuple(urls))

    def allow(self, text: str) -> bool:
        """Return whether an address is plain, and equals an address of the list or is below one."""
        url = read_address(text)
        return url is not None and any(_is_within(url, each) for each in self.urls)


def read_address(text: str) -> URL | None:
    """Return an address as the HTTP client parses it; None if another parser could parse it differently."""
    # The path as it stands: the client removes dots from it, and whoever compares texts does not.
    head, _, _ = text.partition("?")
    _, separator, path = head.partition("://")
    if not separator or not is_plain_path(path) or not _is_printable(text):
        return None
    try:
        url = URL(text)
    except ValueError:
        return None
    if url.scheme not in SCHEMES or url.user is not None or url.password is not None:
        return None
    host = url.raw_host or ""
    # With a dot at its end it would be another name to compare, and the same one to the resolver.
    plain_host = HOST.fullmatch(host) and not host.endswith(".")
    return url if plain_host and "#" not in text and "@" not in path else None


def _is_printable(text: str) -> bool:
    return text.isascii() and text.isprintable() and not {" ", "\\"} & set(text)


def _origin(url: URL) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port; without a port, the default port of the scheme."""
    return url.scheme, url.raw_host, url.port


def _is_within(url: URL, allowed: URL) -> bool:
    """Return whether an address equals an allowed one, with its query, or has a path below that of the allowed one."""
    if _origin(url) != _origin(allowed):
        return False
    # With a slash, so that a path that begins with an allowed one is another path.
    below = f"{allowed.raw_path.rstrip('/')}/"
    same = url.raw_path in (allowed.raw_path, below.rstrip("/"), below)
    if same:
        return url.raw_query_string == allowed.raw_query_string
    return url.raw_path.startswith(below)
