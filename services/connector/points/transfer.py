"""What a point is given: both Vaults, the configuration, and the ids to transfer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.connector.concurrency import KeyLocks
from services.connector.configuration import Configuration, Route
from services.connector.processing.outcome import Outcome
from shared.client.client import VaultClient


@dataclass(frozen=True, slots=True)
class Transfer:
    """One work unit at its integration point; ``locks`` keep other units of this process off shared records."""

    source: VaultClient
    target: VaultClient
    configuration: Configuration
    route: Route
    object: str
    ids: tuple[str, ...]
    locks: KeyLocks


Point = Callable[[Transfer], Awaitable[Outcome]]
"""Transfers a unit; raises ClientError, ConfigurationFault or RuleError when none of it can be judged."""
