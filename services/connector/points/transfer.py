"""What a point is given: both Vaults, the configuration, and the ids to transfer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from services.connector.concurrency import KeyLocks
from services.connector.configuration import Configuration, Route
from services.connector.points.states import SourceStates
from services.connector.processing.outcome import Outcome
from shared.client.client import VaultClient


@dataclass(frozen=True, slots=True)
class Transfer:
    """One work unit at its integration point; ``locks`` keep other units of this process off shared records.

    ``states`` is what the unit's rows have met in the target Vault so far: it is kept when the unit is read again.
    """

    source: VaultClient
    target: VaultClient
    configuration: Configuration
    route: Route
    object: str
    ids: tuple[str, ...]
    locks: KeyLocks
    states: SourceStates = field(default_factory=SourceStates)


Point = Callable[[Transfer], Awaitable[Outcome]]
"""Transfers a unit; raises ClientError, ConfigurationFault or RuleError when none of it can be judged.

Raises OutdatedRead when it is to be called again."""
