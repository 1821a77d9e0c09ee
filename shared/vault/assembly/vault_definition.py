"""What tells one Vault from another: its name, its folder of standard configuration, its few lines of code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.vault.jobs.job_model import JobType
    from shared.vault.queues.delivery_events import DeliveryEventHandler
    from shared.vault.records.named_actions import ActionHandler
    from shared.vault.records.row_rules import Trigger


@dataclass(frozen=True)
class VaultDefinition:
    """One kind of Vault.

    ``purpose`` says in a sentence what it is for, ``first_objects`` are those whose records people work with.
    ``actions`` by the name that lifecycles use, ``triggers`` by object, ``jobs`` by type, ``delivery_handlers`` by the
    name that queues use.
    """

    name: str
    label: str
    vault_id: int
    standard: Path
    purpose: str = ""
    first_objects: tuple[str, ...] = ()
    actions: Mapping[str, ActionHandler] = field(default_factory=dict)
    triggers: Mapping[str, Trigger] = field(default_factory=dict)
    jobs: Mapping[str, JobType] = field(default_factory=dict)
    delivery_handlers: Mapping[str, DeliveryEventHandler] = field(default_factory=dict)
