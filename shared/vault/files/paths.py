"""Paths of the staging area: what a caller writes, checked, and the store's key that it stands for."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault

ROOT = "staging"
MAX_DEPTH = 32
MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 900  # an S3 key holds 1024, the store's own prefix included


@dataclass(frozen=True, slots=True)
class StagingArea:
    """What of the staging area a user sees: everything, or their own folder as if it were everything."""

    user_folder: str
    everything: bool

    @property
    def root(self) -> str:
        """The store's key of the folder that the user calls ``/``."""
        return ROOT if self.everything else f"{ROOT}/{self.user_folder}"

    def key(self, path: str) -> str:
        """The store's key of a path as the user writes it; raises VaultFault ``INVALID_DATA``.

        A user who sees only their own folder may name it in front, as an administrator would.
        """
        names = split(path)
        if not self.everything and names and names[0] == self.user_folder:
            names = names[1:]
        return "/".join((self.root, *names))

    def own_key(self, path: str) -> str:
        """The key of a path inside the user's own folder."""
        names = split(path)
        return "/".join(
            (
                ROOT,
                self.user_folder,
                *(names[1:] if names[:1] == (self.user_folder,) else names),
            )
        )

    def path(self, key: str) -> str:
        """The path by which the user knows a key of theirs."""
        return key.removeprefix(self.root) or "/"


def user_folder(user_id: int) -> str:
    """The name of a user's own folder."""
    return f"u{user_id}"


def quota_root(key: str) -> str:
    """The folder that a key counts against: the first below the root of the staging area."""
    return "/".join(key.split("/")[:2])


def split(path: str) -> tuple[str, ...]:
    """The names of a path, outermost first; raises VaultFault ``INVALID_DATA`` for one that could name anything else.

    Slashes at either end or doubled do not matter.
    """
    names = tuple(checked_name(name) for name in path.split("/") if name)
    if len(names) > MAX_DEPTH:
        raise _invalid(f"it is deeper than {MAX_DEPTH} folders")
    if len("/".join(names).encode()) > MAX_PATH_BYTES:
        raise _invalid(f"it is longer than {MAX_PATH_BYTES} bytes")
    return names


def checked_name(name: str) -> str:
    """The name of a file or folder, composed as Unicode recommends; raises VaultFault ``INVALID_DATA``."""
    composed = unicodedata.normalize("NFC", name)
    if composed != composed.strip() or composed.startswith(".") or not composed:
        raise _invalid(
            "a name is empty, begins with a dot, or begins or ends with a space"
        )
    if any(
        character in "/\\" or unicodedata.category(character) in ("Cc", "Cs")
        for character in composed
    ):
        raise _invalid("a name has a slash, a backslash or a control character")
    if len(composed.encode()) > MAX_NAME_BYTES:
        raise _invalid(f"a name is longer than {MAX_NAME_BYTES} bytes")
    return composed


def _invalid(reason: str) -> VaultFault:
    return VaultFault(ErrorType.INVALID_DATA, f"The path is not valid: {reason}")
