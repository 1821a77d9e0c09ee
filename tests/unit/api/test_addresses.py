"""Addresses: the host that the client dialled, as far as it can be trusted."""

from __future__ import annotations

import re
from ipaddress import ip_network

import pytest
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from shared.vault.api.own_address import OwnAddress, OwnAddresses, origin
from shared.vault.api.request_context import (
    VERSIONS,
    VersionConvertor,
    base_path,
    version_of,
)
from tests.unit.api.requests import request

FORWARDED = {
    "Host": "a",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "vault.example.org, c",
}
SOCKET = "http://127.0.0.1:80"


@pytest.mark.parametrize(
    ("headers", "vault_dns", "expected"),
    [
        ({"Host": "localhost:8080"}, None, "http://localhost:8080"),
        ({"Host": "localhost:8080"}, "", "http://localhost:8080"),
        ({"Host": "localhost:8080"}, "127.0.0.1:8443", "http://127.0.0.1:8443"),
        ({"Host": "localhost:8080"}, "evil.example", "http://localhost:8080"),
        ({"Host": "localhost:8080"}, 'x"><script>', "http://localhost:8080"),
        ({"Host": "a", "X-Forwarded-Host": "b, c"}, None, "http://b"),
        ({"Host": "a", "X-Forwarded-Proto": "javascript"}, None, "http://a"),
        ({"Host": "medical-vault:8080"}, None, "http://medical-vault:8080"),
        ({"Host": "192.168.1.5:8081"}, None, "http://192.168.1.5:8081"),
        ({"Host": "vault.localhost"}, None, "http://vault.localhost"),
        ({"Host": "[::1]:80"}, None, "http://[::1]:80"),
        ({"Host": "evil.example"}, None, SOCKET),
        ({"Host": "8.8.8.8"}, None, SOCKET),
        ({"Host": "localhost.evil.example"}, None, SOCKET),
        ({"Host": "[::1"}, None, SOCKET),
        ({"Host": "localhost:x"}, None, SOCKET),
        ({"Host": "a b"}, None, SOCKET),
        ({}, None, SOCKET),
    ],
)
def test_origin(headers: dict[str, str], vault_dns: str | None, expected: str) -> None:
    assert origin(request(headers=headers), vault_dns) == expected


async def reached(
    headers: dict[str, str], addresses: OwnAddresses, client: str = "203.0.113.9"
) -> str:
    """Return the origin of a request of a client behind the middleware, which trusts the proxy at 10.0.0.1."""
    shown: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        shown.append(origin(Request(scope)))

    asked = request(headers=headers)
    asked.scope["client"] = (client, 4711)
    layer = OwnAddress(app, addresses, [ip_network("10.0.0.1")])

    async def send(_message: Message) -> None:
        return None

    await layer(asked.scope, asked.receive, send)
    return shown[0]


async def test_a_trusted_proxy_says_the_host() -> None:
    own = OwnAddresses()
    assert await reached(FORWARDED, own, "10.0.0.1") == "https://vault.example.org"
    assert await reached(FORWARDED, own) == "https://a"


async def test_configured_addresses_are_its_own() -> None:
    own = OwnAddresses.of("vault.test", "https://people.test:8443/x", "http://api.test")
    for host in ("vault.test", "People.test:1", "api.test:8080"):
        assert await reached({"Host": host}, own) == f"http://{host}"
    assert await reached({"Host": "evil.example"}, own) == "https://people.test:8443"


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
