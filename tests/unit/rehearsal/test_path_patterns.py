"""Paths that a pattern matches, and invalid patterns."""

from __future__ import annotations

import pytest

from shared.vault.errors import VaultFault
from shared.vault.rehearsal.path_patterns import PathPattern, segment_matches

MATCHES = [
    # pattern, path, matches, names its last segment
    ("/api/**", "/api", True, False),
    ("/api/**", "/api/v25.1/query", True, False),
    ("/api/**", "/apiary", False, False),
    ("/**", "/", True, False),
    ("/api/*/query", "/api/v25.1/query", True, True),
    ("/api/*/query", "/api/v25.1/query/1", False, False),
    ("/api/*/query", "/api/query", False, False),
    ("/api/*/query/*", "/api/v25.1/query/1", True, False),
    ("/api/v25.*/auth", "/api/v25.2/auth", True, True),
    ("/api/v25.*/auth", "/api/v24.2/auth", False, False),
    ("/healthz", "/healthz", True, True),
    ("/healthz", "/healthz/", False, False),
]


@pytest.mark.parametrize(("pattern", "path", "matches", "names"), MATCHES)
def test_which_paths(pattern: str, path: str, matches: bool, names: bool) -> None:
    read = PathPattern.read(pattern)
    assert (read.matches(path), read.names(path)) == (matches, names)


QUERY = "/api/{version:vault_version}/query"
REACHES = [
    # pattern, route, whether it matches any of the route's paths
    ("/api/**", QUERY, True),
    ("/**", "/ui/", True),
    ("/api/v25.*/query", QUERY, True),
    ("/api/*/query/**", QUERY, True),
    ("/api/*/query/*", QUERY, False),
    ("/api/*/quer", QUERY, False),
    ("/apj/**", QUERY, False),
    ("/api", QUERY, False),
    ("/api/*/objects/*/x", "/api/{version}/objects/{name:path}", True),
]


@pytest.mark.parametrize(("pattern", "route", "reaches"), REACHES)
def test_which_routes(pattern: str, route: str, reaches: bool) -> None:
    assert PathPattern.read(pattern).reaches(route) is reaches


@pytest.mark.parametrize(
    "text", ["", "api", "/a*b*c", "/**/x", "/***", "/" + "a" * 200, "/\n"]
)
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(VaultFault, match=r"\[path\]"):
        PathPattern.read(text)


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("*", "", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("*_v", "queue_v", True),
        ("queue", "queues", False),
    ],
)
def test_one_star_in_a_segment(pattern: str, text: str, matches: bool) -> None:
    assert segment_matches(pattern, text) is matches
