"""The bounds of the proxy are those of the operations page; `make test-compose` tests their effect."""

from __future__ import annotations

import re

import pytest

from local.service import PROJECT
from tests.unit.local.compose_file import composed, defaults

CONFIGURATION = (PROJECT / "deploy/proxy/haproxy.cfg").read_text(encoding="utf-8")
PAGE = (PROJECT / "docs/operations.md").read_text(encoding="utf-8")
FRONT = CONFIGURATION.partition("defaults front\n")[2].partition("\nfrontend ")[0]
PORTS = {"medical": 8443, "crm": 8444, "crm_2": 8445, "connector": 8453}


def directive(text: str, name: str) -> str:
    (value,) = re.findall(rf"^ +{name} (\S+)", text, re.MULTILINE)
    return str(value)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        (
            "timeout http-request",
            "request line and headers | 15 KiB and 64 headers; complete within {} seconds",
        ),
        (
            "http-request wait-for-body time",
            "body | 16 KiB, or all of a smaller one, within {} seconds;",
        ),
        ("timeout client", "a client that does not read its answer | {} seconds"),
        ("timeout http-keep-alive", "a connection between two requests | {} seconds"),
    ],
)
def test_times(name: str, row: str) -> None:
    seconds = directive(FRONT, name).removesuffix("s")
    assert row.format(seconds) in PAGE


def test_sizes() -> None:
    buffer, reserved, headers = (
        int(directive(CONFIGURATION, f"tune.{name}"))
        for name in ("bufsize", "maxrewrite", "http.maxhdr")
    )
    assert (buffer - reserved, headers) == (15 * 1024, 64)
    assert buffer == 16 * 1024


def test_counts() -> None:
    (address,) = defaults()["PROXY_CONNECTIONS_PER_ADDRESS"]
    (all_of_them,) = defaults()["PROXY_CONNECTIONS"]
    assert f"connections of an address | {address}; further" in PAGE
    assert f"connections in all | {all_of_them}; further" in PAGE


@pytest.mark.parametrize("frontend", PORTS)
def test_every_service_has_a_port_with_tls(frontend: str) -> None:
    section = CONFIGURATION.partition(f"\nfrontend {frontend} from front\n")[2]
    listens, leads_to, *_ = section.splitlines()
    assert f" :{PORTS[frontend]} ssl " in listens
    assert leads_to.split() == ["default_backend", frontend]
    published = composed()["proxy"]["ports"]
    assert f"127.0.0.1:{PORTS[frontend]}:{PORTS[frontend]}" in published


def test_clients_reach_nothing_that_has_no_bounds() -> None:
    every = re.findall(r"^frontend (\S+) from (\S+)", CONFIGURATION, re.MULTILINE)
    assert {name for name, kind in every if kind == "front"} == set(PORTS)
    (inside,) = [name for name, kind in every if kind != "front"]
    section = CONFIGURATION.partition(f"\nfrontend {inside} ")[2]
    assert directive(section, "bind").startswith("127.0.0.1:")
