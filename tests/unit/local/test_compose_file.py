"""The Compose file: ports, passwords, certificates, and the order of starting."""

from __future__ import annotations

import re
from typing import Any

import pytest

from local.password_check import KNOWN
from tests.unit.local.compose_file import TEXT, composed, defaults, waits_for

SERVICES = composed()
ONCE = {
    name
    for name, service in SERVICES.items()
    if service.get("restart") in ("no", "on-failure")
}
PASSWORDS = sorted(name for name in defaults() if name.endswith("_PASSWORD"))
PUBLIC = "192.0.2.1"


def test_a_variable_has_one_default() -> None:
    assert {name for name, values in defaults().items() if len(values) > 1} == set()


def test_every_variable_has_a_default() -> None:
    named = set(re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)", TEXT))
    assert named == set(defaults())


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"password-check"}))
def test_nothing_starts_before_the_passwords_are_checked(name: str) -> None:
    assert "password-check" in waits_for(SERVICES, name)
    check = {"password-check": {"condition": "service_completed_successfully"}}
    direct = [
        service["depends_on"]
        for service in SERVICES.values()
        if "password-check" in service.get("depends_on", {})
    ]
    assert all(depends == check for depends in direct)


@pytest.mark.parametrize("name", PASSWORDS)
def test_every_password_is_checked_and_recognized_as_known(name: str) -> None:
    (default,) = defaults()[name]
    assert default.endswith(KNOWN)
    assert SERVICES["password-check"]["environment"][name] == default


def test_only_the_proxy_is_published_to_others() -> None:
    for name, service in composed({"BIND": PUBLIC}).items():
        address = PUBLIC if name == "proxy" else "127.0.0.1"
        for port in service.get("ports", []):
            assert port.startswith(f"{address}:"), name


@pytest.mark.parametrize(
    "vault", sorted(name for name in SERVICES if name.endswith("-migrate"))
)
def test_the_owner_of_a_database_is_known_to_what_migrates_it(vault: str) -> None:
    assert vault in ONCE
    environment = SERVICES[vault]["environment"]
    assert "_owner:" in environment["VAULT_OWNER_DSN"]
    serving = [
        name
        for name, service in SERVICES.items()
        if vault in service.get("depends_on", {})
    ]
    assert len(serving) == 1
    served = SERVICES[serving[0]]["environment"]
    assert served["VAULT_DATABASE_DSN"] == environment["VAULT_DATABASE_DSN"]


def test_no_process_that_serves_has_the_password_of_an_owner() -> None:
    owners = {
        name: f"secret-{name}" for name in PASSWORDS if name.endswith("_OWNER_PASSWORD")
    }
    assert len(owners) == 3
    having = {
        name
        for name, service in composed(owners).items()
        if any(secret in str(service) for secret in owners.values())
    }
    # The database server creates the roles; the check compares passwords and ends.
    assert having - {"postgres"} <= ONCE


def test_services_believe_the_proxy_and_nobody_else() -> None:
    services = composed({"FRONT_NETWORK": "198.19.7"})
    address = services["proxy"]["networks"]["front"]["ipv4_address"]
    assert address == "198.19.7.2"
    believed = {
        name: value
        for name, service in services.items()
        for variable, value in service.get("environment", {}).items()
        if variable.endswith("_TRUSTED_PROXIES")
    }
    assert set(believed) == {"medical-vault", "crm-vault", "crm-vault-2", "connector"}
    assert set(believed.values()) == {address}


@pytest.mark.parametrize(
    ("variable", "built"),
    [
        ("PYTHON_IMAGE", ["password-check", "proxy"]),
        ("POSTGRES_IMAGE", ["postgres"]),
        ("RABBITMQ_IMAGE", ["rabbitmq"]),
    ],
)
def test_an_image_can_be_pinned_by_its_digest(variable: str, built: list[str]) -> None:
    pinned = f"registry.example/image@sha256:{'0' * 64}"
    services: dict[str, Any] = composed({variable: pinned})
    for name in built:
        service = services[name]
        built_on = service.get("build", {}).get("args", {}).get("BASE_IMAGE")
        assert pinned in (service["image"], built_on)


def test_containers_of_our_own_have_no_rights_to_spare() -> None:
    for name, service in SERVICES.items():
        if name not in ("postgres", "rabbitmq"):
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
