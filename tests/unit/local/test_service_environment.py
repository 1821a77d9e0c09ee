"""The environment of a service: settings of the shell, below those that the local system makes."""

from __future__ import annotations

import pytest

from local.service import service_environment


def test_settings_of_the_shell_reach_a_service_unless_the_system_makes_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VAULT_BURST_LIMIT", "500")
    monkeypatch.setenv("CONNECTOR_MAX_BATCH", "50")
    monkeypatch.setenv("VAULT_PORT", "1")
    environment = service_environment({"VAULT_PORT": "8080"})
    assert environment["VAULT_BURST_LIMIT"] == "500"
    assert environment["CONNECTOR_MAX_BATCH"] == "50"
    assert environment["VAULT_PORT"] == "8080"


def test_modules_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" not in service_environment({})
