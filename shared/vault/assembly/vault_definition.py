"""Describes one kind of Vault: its name, its folder of standard configuration, and its own actions and triggers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.vault.assembly.action_parameters import EntryActionForm
    from shared.vault.assembly.spent_actions import Spent
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


# Takes the values of a record; returns seconds, or None when nothing is under way.
LookAgain = Callable[[Mapping[str, object]], int | None]


@dataclass(frozen=True)
class VaultDefinition:
    """One kind of Vault.

    ``purpose`` describes its use in a sentence, ``first_objects`` are the objects whose
    records people work with. ``actions`` by the name that lifecycles use, ``triggers`` by
    object, ``delivery_handlers`` by the name that queues use, ``merge_handlers`` by object.
    ``desk`` is the work that people find on the home page, ``leads`` by object what is
    shown at the head of a record, ``guided`` by object the forms that lead to what a record
    is made for, ``related`` by object the records that stand on the page of
    one that they refer to; ``answered`` are the questions whose answers are shown
    beside similar ones; ``look_again`` says by object when a record that is shown
    may have changed by itself. ``state_actions`` are by object those actions without parameters
    that states of its lifecycle may name, each with its label; ``entry_action_forms`` those
    entry actions that have parameters. ``spent_actions`` say by named action which records it
    has nothing left to do for: pages do not offer it there. ``error_texts`` are fields with errors, of
    which pages show names of objects and fields by their labels.
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
    spent_actions: Mapping[str, Spent] = field(default_factory=dict)
    error_texts: frozenset[str] = frozenset()
