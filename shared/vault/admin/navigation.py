"""Decides which entries of the menu a caller sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.vault.access.permissions import Grant, Operation, granted, may

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the menu; ``admin`` puts the entry below Admin.

    ``also`` are the beginnings of the addresses of further pages that belong to the entry.
    """

    label: str
    path: str
    shown_to: Callable[[Caller], bool]
    admin: bool = True
    also: tuple[str, ...] = ()


def _reads(object_name: str) -> Callable[[Caller], bool]:
    """Return a predicate on callers: whether the caller may read the records of an object."""
    return lambda caller: may(caller, object_name, Operation.READ)


def _holds(grant: Grant) -> Callable[[Caller], bool]:
    """Return a predicate on callers: whether the caller has a grant."""
    return lambda caller: granted(caller, grant)


def _everyone(_caller: Caller) -> bool:
    return True


# An entry is left out when its page would be refused; the pages check it again.
MENU = (
    Entry("Home", "/ui/", _everyone, admin=False),
    Entry("Records", "/ui/objects", _everyone, admin=False),
    Entry("Documents", "/ui/documents", _reads("documents"), admin=False),
    Entry("Tasks", "/ui/tasks", _everyone, admin=False),
    Entry("Jobs", "/ui/jobs", _everyone, admin=False),
    Entry(
        "Connections",
        "/ui/connections",
        _reads("connection__sys"),
        also=("/ui/integrations/",),
    ),
    Entry("Reference Lookups", "/ui/lookups", _reads("reference_lookup__sys")),
    Entry("Integration Rules", "/ui/rules", _holds(Grant.READ_CONFIGURATION)),
    Entry("Live Picture", "/ui/live", _holds(Grant.READ_QUEUES)),
    Entry(
        "Spark Queues",
        "/ui/queues",
        _holds(Grant.READ_QUEUES),
        also=("/ui/messages",),
    ),
    Entry("Spark Message Processors", "/ui/processors", _holds(Grant.READ_QUEUES)),
    Entry(
        "User Exception Messages", "/ui/exceptions", _reads("exception_message__sys")
    ),
    Entry("Queue Logs", "/ui/queue-log", _holds(Grant.READ_QUEUE_LOG)),
    Entry("Rehearsal", "/ui/rehearsal", _holds(Grant.REHEARSE_FAULTS)),
    Entry("Users", "/ui/users", _reads("user__sys")),
    Entry("Groups", "/ui/groups", _reads("group__sys")),
    Entry(
        "Security Profiles",
        "/ui/profiles",
        _holds(Grant.READ_CONFIGURATION),
        also=("/ui/permission-sets/",),
    ),
    Entry("Lifecycles", "/ui/lifecycles", _holds(Grant.READ_CONFIGURATION)),
    Entry("Packages", "/ui/packages", _holds(Grant.MANAGE_PACKAGES)),
    Entry("Components", "/ui/components", _holds(Grant.READ_CONFIGURATION)),
)


def menu_of(caller: Caller, path: str) -> list[tuple[Entry, bool]]:
    """Return the entries that the caller sees, and for each whether the page at ``path`` belongs to it."""
    entries = (entry for entry in MENU if entry.shown_to(caller))
    return [(entry, _is_at(entry, path)) for entry in entries]


def _is_at(entry: Entry, path: str) -> bool:
    """Return whether a page belongs to an entry."""
    # All addresses begin with that of Home, to which only its own page belongs.
    if path == entry.path:
        return True
    below = () if entry.path == "/ui/" else (f"{entry.path}/",)
    return path.startswith((*below, *entry.also))
