"""Addresses: the host that the client dialled, as far as it can be trusted."""

from __future__ import annotations

import re

import pytest

from shared.vault.api.request_context import (
    VERSIONS,
    VersionConvertor,
    base_path,
    origin,
    version_of,
)
from tests.unit.api.requests import request


@pytest.mark.parametrize(
    ("headers", "vault_dns", "expected"),
    [
        ({"Host": "localhost:8080"}, None, "http://localhost:8080"),
        ({"Host": "localhost:8080"}, "", "http://localhost:8080"),
        ({"Host": "localhost:8080"}, "vault.example:8443", "http://vault.example:8443"),
        ({"Host": "localhost:8080"}, 'x"><script>', "http://localhost:8080"),
        (
            {"Host": "a", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "b, c"},
            None,
            "https://b",
        ),
        ({"Host": "a", "X-Forwarded-Proto": "javascript"}, None, "http://a"),
        ({"Host": "[::1]:80"}, None, "http://[::1]:80"),
        ({"Host": "a b"}, None, "http://localhost"),
        ({}, None, "http://localhost"),
    ],
)
def test_origin(headers: dict[str, str], vault_dns: str | None, expected: str) -> None:
    assert origin(request(headers=headers), vault_dns) == expected


def test_paths_without_a_version_answer_with_the_latest() -> None:
    asked = request()
    assert version_of(asked) == VERSIONS[-1] == "v26.3"
    asked.scope["path_params"] = {"version": "v24.3"}
    assert base_path(asked) == "/api/v24.3"


@pytest.mark.parametrize(
    ("text", "well_formed"),
    [("v25.1", True), ("v7.0", True), ("v99.9", True), ("25.1", False), ("v25", False)],
)
def test_well_formed_versions(text: str, well_formed: bool) -> None:
    assert bool(re.fullmatch(VersionConvertor.regex, text)) is well_formed
