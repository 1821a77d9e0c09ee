"""Reads the rows of ``connection__sys``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.client.results import Json, text

CONNECTIONS = (
    "SELECT id, api_name__sys, object_type__vr.api_name__v, remote_vault_id__sys, remote_connection__sys, state__v, "
    "status__v, domain_type__sys, remote_domain_type__sys FROM connection__sys"
)


ACTIVE_STATE, PENDING_STATE = "active_state__sys", "pending_state__sys"


EXTERNAL = "external__sys"


PRODUCTION, SANDBOX = "production__sys", "sandbox__sys"


@dataclass(frozen=True, slots=True)
class Connection:
    """One row of ``connection__sys``; ``remote_name`` is the connection's API name in the remote Vault.

    Nothing may be written over it into the Vault of a ``guarded`` one, nor into the remote Vault of a ``reading`` one.
    """

    id: str
    api_name: str
    remote_vault_id: int | None
    active: bool
    remote_name: str = ""
    external: bool = False
    pending: bool = False
    guarded: bool = False
    reading: bool = False


def read_connections(rows: Iterable[Json]) -> tuple[Connection, ...]:
    """Type the rows of ``connection__sys``; a connection is active when its state and its status are."""
    return tuple(
        Connection(
            id=str(row["id"]),
            api_name=text(row, "api_name__sys"),
            remote_vault_id=int(remote)
            if (remote := text(row, "remote_vault_id__sys")).isdecimal()
            else None,
            active=_is_active(row) and text(row, "state__v") == ACTIVE_STATE,
            remote_name=text(row, "remote_connection__sys"),
            pending=text(row, "state__v") == PENDING_STATE,
            external=text(row, "object_type__vr.api_name__v") == EXTERNAL,
            guarded=_domains(row) == (PRODUCTION, SANDBOX),
            reading=_domains(row) == (SANDBOX, PRODUCTION),
        )
        for row in rows
    )


def _domains(row: Json) -> tuple[str, str]:
    return text(row, "domain_type__sys"), text(row, "remote_domain_type__sys")


def _is_active(row: Json) -> bool:
    return text(row, "status__v") in ("", "active__v")
