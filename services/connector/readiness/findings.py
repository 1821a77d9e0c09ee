"""Finds the faults of a connection, from facts that were read at both its ends; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import assert_never

from services.connector.rules.rule_findings import RuleFinding
from services.connector.vaults.configuration import (
    Connection,
    Integration,
    IntegrationPoint,
)
from shared.protocol.readiness_steps import ReadinessStep


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault to correct: its Vault, component or record, and what to do; ``of_rule`` has the place in a rule."""

    step: ReadinessStep
    vault_id: int
    name: str
    message: str
    of_rule: RuleFinding | None = None

    @property
    def prevents_transfer(self) -> bool:
        """Return whether messages cannot be transferred until the fault is corrected."""
        match self.step:
            # Open exceptions are about messages of the past; they keep no other message from being transferred.
            case ReadinessStep.EXCEPTIONS:
                return False
            case ReadinessStep.RULES:
                return self.of_rule is None or self.of_rule.prevents_transfer
            case (
                ReadinessStep.CONNECTION
                | ReadinessStep.REMOTE_VAULT
                | ReadinessStep.USER_RIGHTS
                | ReadinessStep.INTEGRATIONS
                | ReadinessStep.POINTS
                | ReadinessStep.QUEUES
                | ReadinessStep.CONSUMERS
            ):
                return True
            case _:
                assert_never(self.step)

    def to_json(self) -> dict[str, object]:
        """Return the finding as JSON."""
        place = self.of_rule.to_json() if self.of_rule else {}
        return {
            **place,
            "step": self.step,
            "vault_id": self.vault_id,
            "name": self.name,
            "message": self.message,
            "prevents_transfer": self.prevents_transfer,
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
    """The facts of one end of an Active connection.

    ``refused`` are the objects here that the other Vault's rules read and its user may not read, with the reason;
    ``exceptions`` counts the open User Exception Messages.
    """

    vault_id: int
    connection: Connection
    integrations: tuple[Integration, ...]
    points: tuple[IntegrationPoint, ...]
    rules: tuple[RuleFinding, ...]
    queues: tuple[QueueFacts, ...]
    refused: tuple[tuple[str, str], ...]
    exceptions: int


def of_connection(
    vault_id: int,
    name: str,
    connection: Connection | None,
) -> Iterator[Finding]:
    """Yield the faults that keep one end of a connection from being used at all."""
    if connection is None:
        message = "There is no such connection; add it"
        yield Finding(ReadinessStep.CONNECTION, vault_id, name, message)
        return
    # A pending connection is inactive too, and is not activated but established.
    if connection.pending:
        message = "The connection is Pending; establish it by a connection file"
        yield Finding(ReadinessStep.CONNECTION, vault_id, name, message)
    elif not connection.active:
        message = "The connection is inactive; activate it"
        yield Finding(ReadinessStep.CONNECTION, vault_id, name, message)
    # An External connection leads to an address and to no Vault.
    if connection.external:
        return
    if connection.remote_vault_id is None:
        message = "The connection has no Remote Vault ID; set it"
        yield Finding(ReadinessStep.REMOTE_VAULT, vault_id, name, message)
    if connection.guarded:
        message = "This production Vault takes nothing from a sandbox Vault; connect it with a production Vault"
        yield Finding(ReadinessStep.REMOTE_VAULT, vault_id, name, message)


def of_ends(ends: tuple[EndFacts, ...], consumers: str | None) -> list[Finding]:
    """Return the faults beyond the connection records themselves, in the order in which to correct them.

    ``consumers`` is why messages are not consumed, None when they are.
    """
    found = [finding for end in ends for finding in _of_end(end)]
    found += _one_sided(ends)
    if consumers:
        message = f"The connector is {consumers}"
        finding = Finding(
            ReadinessStep.CONSUMERS,
            ends[0].vault_id,
            "connector",
            message,
        )
        found.append(finding)
    # Sorting is stable: within a step the findings of the first end come first.
    order = list(ReadinessStep)
    return sorted(found, key=lambda finding: order.index(finding.step))


def _of_end(end: EndFacts) -> Iterator[Finding]:
    vault_id = end.vault_id
    for name, reason in end.refused:
        message = f"The connection's user may not read {name} here: {reason}; give the user access"
        yield Finding(ReadinessStep.USER_RIGHTS, vault_id, name, message)
    active = {integration.id for integration in end.integrations if integration.active}
    if not active:
        message = (
            "No integration of the connection is active; activate those that are wanted"
        )
        name = end.connection.api_name
        yield Finding(ReadinessStep.INTEGRATIONS, vault_id, name, message)
    for point in end.points:
        if point.integration in active and not point.active:
            message = "The integration is active and this integration point of it is not; activate it"
            yield Finding(ReadinessStep.POINTS, vault_id, point.api_name, message)
    for found in end.rules:
        yield Finding(ReadinessStep.RULES, vault_id, found.rule, found.message, found)
    yield from _of_queues(end)
    if end.exceptions:
        message = f"{end.exceptions} User Exception Messages are open; correct what they name and run Retry Transfer"
        yield Finding(
            ReadinessStep.EXCEPTIONS, vault_id, "exception_message__sys", message
        )


def _of_queues(end: EndFacts) -> Iterator[Finding]:
    vault_id = end.vault_id
    if not end.queues:
        message = "No queue of this Vault sends or takes messages of the connection; add a queue connection"
        name = end.connection.api_name
        yield Finding(ReadinessStep.QUEUES, vault_id, name, message)
    for queue in end.queues:
        if not queue.active:
            message = "The queue is inactive or does not exist; activate or add it"
            yield Finding(ReadinessStep.QUEUES, vault_id, queue.name, message)
        if not queue.delivering:
            message = "Delivery is disabled; enable it"
            yield Finding(ReadinessStep.QUEUES, vault_id, queue.name, message)
        if queue.error:
            message = f"The latest message was not delivered: {queue.error}"
            yield Finding(ReadinessStep.QUEUES, vault_id, queue.name, message)


def _one_sided(ends: Iterable[EndFacts]) -> Iterator[Finding]:
    """Yield a finding for each integration that is inactive at one end and active, by the same name, at the other."""
    facts = tuple(ends)
    active = {
        integration.api_name
        for end in facts
        for integration in end.integrations
        if integration.active
    }
    for end in facts:
        for integration in end.integrations:
            name = integration.api_name
            # One that this end does not have cannot be activated here, so it is no finding.
            if name in active and not integration.active:
                message = "The integration is active in the other Vault and not here; activate it"
                yield Finding(ReadinessStep.INTEGRATIONS, end.vault_id, name, message)
