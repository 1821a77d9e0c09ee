"""The menu: what there is, and who is shown it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.vault.access.permissions import Grant, Operation, granted, may

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the menu; ``admin`` puts it below Admin, ``also`` are further pages that belong to it."""

    label: str
    path: str
    shown_to: Callable[[Caller], bool]
    admin: bool = True
    also: tuple[str, ...] = ()


def _reads(object_name: str) -> Callable[[Caller], bool]:
    return lambda caller: may(caller, object_name, Operation.READ)


def _holds(grant: Grant) -> Callable[[Caller], bool]:
    return lambda caller: granted(caller, grant)


def _everyone(_caller: Caller) -> bool:
    return True


MENU = (
    Entry("Home", "/ui/", _everyone, admin=False),
    Entry("Records", "/ui/objects", _everyone, admin=False),
    Entry("Jobs", "/ui/jobs", _everyone, admin=False),
    Entry(
        "Connections",
        "/ui/connections",
        _reads("connection__sys"),
        also=("/ui/integrations/",),
    ),
    Entry("Reference Lookups", "/ui/lookups", _reads("reference_lookup__sys")),
    Entry("Integration Rules", "/ui/rules", _holds(Grant.READ_CONFIGURATION)),
    Entry("Spark Queues", "/ui/queues", _holds(Grant.READ_QUEUES)),
    Entry("Spark Message Processors", "/ui/processors", _holds(Grant.READ_QUEUES)),
    Entry(
        "User Exception Messages", "/ui/exceptions", _reads("exception_message__sys")
    ),
    Entry("Queue Logs", "/ui/queue-log", _holds(Grant.READ_QUEUE_LOG)),
    Entry("Components", "/ui/components", _holds(Grant.READ_CONFIGURATION)),
)


def menu_of(caller: Caller, path: str) -> list[tuple[Entry, bool]]:
    """The entries that the caller is shown, each with whether the page at ``path`` belongs to it."""
    return [(entry, _is_at(entry, path)) for entry in MENU if entry.shown_to(caller)]


def _is_at(entry: Entry, path: str) -> bool:
    below = () if entry.path == "/ui/" else (f"{entry.path}/",)
    return path == entry.path or path.startswith((*below, *entry.also))
