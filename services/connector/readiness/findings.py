"""What is found wrong with a connection, from what was read of both its ends; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from services.connector.rules.rule import RuleError
from services.connector.vaults.configuration import (
    Connection,
    Integration,
    IntegrationPoint,
)


class Step(StrEnum):
    """Where something is to be mended, in the order to do it: each step may hide what is wrong in later ones."""

    CONNECTION = "connection"
    REMOTE_VAULT = "remote_vault"
    USER_RIGHTS = "user_rights"
    INTEGRATIONS = "integrations"
    POINTS = "integration_points"
    RULES = "integration_rules"
    QUEUES = "queues"
    CONSUMERS = "consumers"
    EXCEPTIONS = "user_exceptions"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend: in which Vault, which component or record, and what to do."""

    step: Step
    vault_id: int
    name: str
    message: str

    def answer(self) -> dict[str, object]:
        """As JSON."""
        return {
            "step": self.step,
            "vault_id": self.vault_id,
            "name": self.name,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """A queue that the connection uses; ``error`` is why its latest message over the connection was not delivered."""

    name: str
    active: bool
    delivering: bool = True
    error: str = ""


@dataclass(frozen=True, slots=True)
class EndFacts:
    """One end of an Active connection.

    ``refused`` are the objects that the other Vault's rules read here and its user may not, with the reason;
    ``exceptions`` counts the open User Exception Messages.
    """

    vault_id: int
    connection: Connection
    integrations: tuple[Integration, ...]
    points: tuple[IntegrationPoint, ...]
    broken_rules: tuple[RuleError, ...]
    queues: tuple[QueueFacts, ...]
    refused: tuple[tuple[str, str], ...]
    exceptions: int


def of_connection(
    vault_id: int, name: str, connection: Connection | None
) -> Iterator[Finding]:
    """What keeps one end of a connection from being used at all."""
    if connection is None:
        yield Finding(
            Step.CONNECTION, vault_id, name, "There is no such connection; add it"
        )
    elif connection.pending:
        yield Finding(
            Step.CONNECTION,
            vault_id,
            name,
            "The connection is Pending; establish it by a connection file",
        )
    elif not connection.active:
        yield Finding(
            Step.CONNECTION, vault_id, name, "The connection is inactive; activate it"
        )
    if connection is not None and not connection.external:
        if connection.remote_vault_id is None:
            yield Finding(
                Step.REMOTE_VAULT,
                vault_id,
                name,
                "The connection has no Remote Vault ID; set it",
            )
        if connection.guarded:
            text = "This production Vault takes nothing from a sandbox Vault; connect it with a production Vault"
            yield Finding(Step.REMOTE_VAULT, vault_id, name, text)


def of_ends(ends: tuple[EndFacts, ...], consumers: str | None) -> list[Finding]:
    """What is wrong beyond the connection itself; ``consumers`` is why messages are not consumed, if so."""
    found = [finding for end in ends for finding in _of_end(end)]
    found += _one_sided(ends)
    if consumers:
        found.append(
            Finding(
                Step.CONSUMERS,
                ends[0].vault_id,
                "connector",
                f"The connector is {consumers}",
            )
        )
    order = list(Step)
    return sorted(found, key=lambda finding: order.index(finding.step))


def _of_end(end: EndFacts) -> Iterator[Finding]:
    for name, reason in end.refused:
        text = f"The connection's user may not read {name} here: {reason}; give the user access"
        yield Finding(Step.USER_RIGHTS, end.vault_id, name, text)
    active = {integration.id for integration in end.integrations if integration.active}
    if not active:
        text = (
            "No integration of the connection is active; activate those that are wanted"
        )
        yield Finding(Step.INTEGRATIONS, end.vault_id, end.connection.api_name, text)
    for point in end.points:
        if point.integration in active and not point.active:
            text = "The integration is active and this integration point of it is not; activate it"
            yield Finding(Step.POINTS, end.vault_id, point.api_name, text)
    for error in end.broken_rules:
        yield Finding(Step.RULES, end.vault_id, error.rule, str(error))
    yield from _of_queues(end)
    if end.exceptions:
        text = f"{end.exceptions} User Exception Messages are open; correct what they name and run Retry Transfer"
        yield Finding(Step.EXCEPTIONS, end.vault_id, "exception_message__sys", text)


def _of_queues(end: EndFacts) -> Iterator[Finding]:
    if not end.queues:
        text = "No queue of this Vault sends or takes messages of the connection; add a queue connection"
        yield Finding(Step.QUEUES, end.vault_id, end.connection.api_name, text)
    for queue in end.queues:
        if not queue.active:
            yield Finding(
                Step.QUEUES,
                end.vault_id,
                queue.name,
                "The queue is inactive or not there; activate or add it",
            )
        if not queue.delivering:
            yield Finding(
                Step.QUEUES, end.vault_id, queue.name, "Delivery is disabled; enable it"
            )
        if queue.error:
            text = f"The latest message was not delivered: {queue.error}"
            yield Finding(Step.QUEUES, end.vault_id, queue.name, text)


def _one_sided(ends: Iterable[EndFacts]) -> Iterator[Finding]:
    """Integrations of one name that are active at one end only."""
    known = [
        {integration.api_name: integration.active for integration in end.integrations}
        for end in ends
    ]
    for end, integrations in zip(ends, known, strict=True):
        for name, active in integrations.items():
            if not active and any(other.get(name) for other in known):
                text = "The integration is active in the other Vault and not here; activate it"
                yield Finding(Step.INTEGRATIONS, end.vault_id, name, text)
