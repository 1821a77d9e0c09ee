"""The unprivileged account that servers run as when root starts them, and a place that it can reach."""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from local.failure import SystemFailed

_SPACE = re.compile(r"\s")
_NAME = "medical-crm-connection"


class PopenAccount(TypedDict, total=False):
    """The arguments of ``subprocess.Popen`` that change the account."""

    user: int
    group: int
    extra_groups: Iterable[int]


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine."""

    name: str
    uid: int
    gid: int

    def popen_arguments(self) -> PopenAccount:
        """Return what makes ``subprocess`` run a command as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": ()}

    def own(self, path: Path) -> None:
        """Give this user a file or directory."""
        os.chown(path, self.uid, self.gid)

    def can_enter(self, directory: Path) -> bool:
        """Whether this user may pass through ``directory`` and all above it."""
        return all(
            subprocess.run(
                ["/usr/bin/test", "-x", part], check=False, **self.popen_arguments()
            ).returncode
            == 0
            for part in (directory, *directory.parents)
        )


def server_account(*names: str) -> Account | None:
    """Return the first of these accounts that exists; None when this process is not root and stays itself.

    :raises SystemFailed: none of them exists.
    """
    if os.geteuid() != 0:
        return None
    for name in (*names, "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise SystemFailed("no unprivileged account to run servers as")


def server_directory(directory: Path, accounts: Iterable[Account | None]) -> Path:
    """Return where servers keep their data: beside the state, or elsewhere if ``accounts`` cannot get there.

    A checkout under a home directory that only root may enter is no place for a server that runs as
    another user, and RabbitMQ's scripts stumble over spaces in paths. The data then lies under
    ``/var/lib``, or for a user who is not root under ``~/.local/state``, named by the checkout's path.
    """
    if not _SPACE.search(str(directory)) and all(
        account is None or account.can_enter(directory) for account in accounts
    ):
        return directory / "servers"
    base = Path("/var/lib") if os.geteuid() == 0 else Path.home() / ".local" / "state"
    return (
        base
        / _NAME
        / hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:12]
    )
