"""Finds the unprivileged account for servers that root starts, and a directory that it can enter."""

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
        """Return the arguments that make ``subprocess`` run a command as this user."""
        return {
            "user": self.uid,
            "group": self.gid,
            "extra_groups": (),
        }

    def own(self, path: Path) -> None:
        """Make this user the owner of a file or directory."""
        os.chown(path, self.uid, self.gid)

    def can_enter(self, directory: Path) -> bool:
        """Return whether this user may pass through ``directory`` and all directories above it."""
        for part in (directory, *directory.parents):
            # Asked of the kernel as this user: mode bits alone leave out access control lists.
            command = ["/usr/bin/test", "-x", str(part)]
            ended = subprocess.run(command, check=False, **self.popen_arguments())
            if ended.returncode != 0:
                return False
        return True


def server_account(*names: str) -> Account | None:
    """Return the first of these accounts that exists; None when this process is not root and keeps its own account.

    :raises SystemFailed: none of them exists.
    """
    if os.geteuid() != 0:
        return None
    # Without the packages of the servers, their accounts do not exist.
    for name in (*names, "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise SystemFailed("no unprivileged account to run servers as")


def server_directory(directory: Path, accounts: Iterable[Account | None]) -> Path:
    """Return the folder for the servers' data.

    It is below ``directory`` if all ``accounts`` can enter that and its path has no spaces; otherwise below
    ``/var/lib``, or ``~/.local/state`` for a user who is not root, and named by a digest of ``directory``.
    """
    users = [account for account in accounts if account is not None]
    # RabbitMQ's scripts fail on spaces in paths.
    spaceless = not _SPACE.search(str(directory))
    # A home directory that only root may enter keeps out a server that runs as another user.
    if spaceless and all(user.can_enter(directory) for user in users):
        return directory / "servers"
    base = Path.home() / ".local" / "state"
    if os.geteuid() == 0:
        base = Path("/var/lib")
    digest = hashlib.sha256(str(directory.resolve()).encode())
    return base / _NAME / digest.hexdigest()[:12]
