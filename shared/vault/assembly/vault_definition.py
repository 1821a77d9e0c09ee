"""Describes one kind of Vault: its name, its folder of standard configuration, and its own actions and triggers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.vault.assembly.action_parameters import EntryActionForm
    from shared.vault.assembly.ineffective_actions import IsIneffective
    from shared.vault.assembly.work_lists import (
        Answered,
        Desk,
        GuidedForm,
        Lead,
        Related,
    )
    from shared.vault.bulk.record_merge import MergeHandler
    from shared.vault.queues.deliveries import DeliveryEventHandler
    from shared.vault.records.named_actions import ActionHandler
    from shared.vault.records.row_rules import Trigger


# Takes the values of a record; returns seconds until its page is drawn again, or None when it is not.
LookAgain = Callable[[Mapping[str, object]], int | None]


@dataclass(frozen=True)
class VaultDefinition:
    """One kind of Vault.

    ``purpose`` describes its use in a sentence; ``first_objects`` are the objects whose records people work with.

    The keys of ``actions`` are the names that lifecycles use, those of ``delivery_handlers`` the names that queues
    use. All other mappings are by object name:

    - ``leads``: the values at the head of a record's page.
    - ``guided``: the forms that lead a new record to its goal.
    - ``related``: the lists of referring records on a record's page.
    - ``look_again``: functions that return in how many seconds the page of a record is drawn again.
    - ``state_actions``: the labels, by name, of the actions without parameters that lifecycle states may run.
    - ``entry_action_forms``: the entry actions with parameters, by name.

    The keys of ``ineffective_actions`` are names of actions; its functions return whether the action would change
    nothing of a record, so that pages do not offer the action. ``error_text_fields`` are the fields with error texts:
    pages show the names of objects and fields in them as labels.

    ``desk`` has the work lists of the home page; ``answered`` describes the answered questions that are shown beside
    similar questions.
    """

    name: str
    label: str
    vault_id: int
    standard: Path
    purpose: str = ""
    first_objects: tuple[str, ...] = ()
    actions: Mapping[str, ActionHandler] = field(default_factory=dict)
    triggers: Mapping[str, Trigger] = field(default_factory=dict)
    delivery_handlers: Mapping[str, DeliveryEventHandler] = field(default_factory=dict)
    merge_handlers: Mapping[str, MergeHandler] = field(default_factory=dict)
    desk: Desk | None = None
    leads: Mapping[str, tuple[Lead, ...]] = field(default_factory=dict)
    guided: Mapping[str, GuidedForm] = field(default_factory=dict)
    related: Mapping[str, tuple[Related, ...]] = field(default_factory=dict)
    answered: Answered | None = None
    look_again: Mapping[str, LookAgain] = field(default_factory=dict)
    state_actions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    entry_action_forms: Mapping[str, Mapping[str, EntryActionForm]] = field(
        default_factory=dict
    )
    ineffective_actions: Mapping[str, IsIneffective] = field(default_factory=dict)
    error_text_fields: frozenset[str] = frozenset()
