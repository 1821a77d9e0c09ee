"""The Compose file as Compose reads it: variables replaced, anchors merged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml  # type: ignore[import-untyped]

from local.service import PROJECT

VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>[A-Z0-9_]+):-(?P<default>[^}]*)\}")
TEXT = (PROJECT / "docker-compose.yml").read_text(encoding="utf-8")


def defaults() -> dict[str, set[str]]:
    """The defaults in the file for each variable, of which there should be one."""
    found: dict[str, set[str]] = {}
    for match in VARIABLE.finditer(TEXT):
        found.setdefault(match["name"], set()).add(match["default"])
    return found


def composed(variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The file's services by name, with ``variables`` in the environment."""
    environment = variables or {}
    text = VARIABLE.sub(
        lambda match: environment.get(match["name"]) or match["default"], TEXT
    )
    services: dict[str, Any] = yaml.safe_load(text)["services"]
    return services


def waits_for(services: Mapping[str, Any], name: str) -> set[str]:
    """Every service that has to run before the named one starts."""
    named = set(services[name].get("depends_on", {}))
    return named.union(*(waits_for(services, other) for other in named))
