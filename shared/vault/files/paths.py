"""Checks paths of the staging area, and converts them to keys of the file store."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault

ROOT = "staging"
MAX_DEPTH = 32
MAX_NAME_BYTES = 255  # what common file systems allow
MAX_DECOMPOSED = 3  # times the bytes of a text in UTF-8 when its letters are decomposed
MAX_PATH_BYTES = 900  # an S3 key holds 1024, the store's own prefix included


@dataclass(frozen=True, slots=True)
class StagingArea:
    """The part of the staging area that a user sees: the whole, or their own folder as its root."""

    user_folder: str
    everything: bool

    @property
    def root(self) -> str:
        """Return the store's key of the folder that the user calls ``/``."""
        return ROOT if self.everything else f"{ROOT}/{self.user_folder}"

    def key(self, path: str) -> str:
        """Return the store's key of a path as the user writes it.

        :raises VaultFault: INVALID_DATA for a path that is not valid.
        """
        names = split(path)
        # A user who sees only their own folder may name it in front, as an administrator would.
        if not self.everything and names and names[0] == self.user_folder:
            names = names[1:]
        return "/".join((self.root, *names))

    def own_key(self, path: str) -> str:
        """Return the key of a path in the user's own folder, with or without that folder's name in front.

        :raises VaultFault: INVALID_DATA for a path that is not valid.
        """
        names = split(path)
        if names and names[0] == self.user_folder:
            names = names[1:]
        return "/".join((ROOT, self.user_folder, *names))

    def path(self, key: str) -> str:
        """Return the path of a key as the user sees it."""
        return key.removeprefix(self.root) or "/"


def user_folder(user_id: int) -> str:
    """Return the name of a user's own folder."""
    return f"u{user_id}"


def quota_root(key: str) -> str:
    """Return the folder whose quota a key counts against: the top-level folder of the staging area."""
    names = key.split("/")
    return "/".join(names[:2])


def split(path: str) -> tuple[str, ...]:
    """Return the names of a path, outermost first; leading, trailing and doubled slashes are ignored.

    :raises VaultFault: INVALID_DATA for a path that is too deep or long, or has a name that is not valid.
    """
    names = tuple(checked_name(name) for name in path.split("/") if name)
    if len(names) > MAX_DEPTH:
        raise _invalid(f"it is deeper than {MAX_DEPTH} folders")
    if _bytes(*names) > MAX_PATH_BYTES:
        raise _invalid(f"it is longer than {MAX_PATH_BYTES} bytes")
    return names


def _bytes(*names: str) -> int:
    """Return the length of names joined to a path, in bytes of UTF-8."""
    path = "/".join(names)
    return len(path.encode())


def checked_name(name: str) -> str:
    """Return the name of a file or folder, composed as Unicode recommends.

    :raises VaultFault: INVALID_DATA for a name that could lead to another place, or that a store could not use.
    """
    # Looked at before it is composed: to order the accents of one letter takes the square of their number.
    if _is_longer(name, MAX_NAME_BYTES * MAX_DECOMPOSED):
        raise _too_long()
    # Clients write the same letters composed or decomposed: one name is one key.
    composed = unicodedata.normalize("NFC", name)
    if not composed or composed != composed.strip() or composed.startswith("."):
        raise _invalid(
            "a name is empty, begins with a dot, or begins or ends with a space"
        )
    if any(map(_is_forbidden, composed)):
        raise _invalid("a name has a slash, a backslash or a control character")
    if _bytes(composed) > MAX_NAME_BYTES:
        raise _too_long()
    return composed


def _is_longer(name: str, limit: int) -> bool:
    """Return whether a name has more bytes than ``limit``; a lone surrogate, which is refused later, counts as one."""
    return len(name.encode(errors="replace")) > limit


def _too_long() -> VaultFault:
    return _invalid(f"a name is longer than {MAX_NAME_BYTES} bytes")


def _is_forbidden(character: str) -> bool:
    """Return whether a character is forbidden in names: path separators, control characters and lone surrogates."""
    return character in "/\\" or unicodedata.category(character) in ("Cc", "Cs")


def _invalid(reason: str) -> VaultFault:
    """Return the fault for a path that is not valid."""
    message = f"The path is not valid: {reason}"
    return VaultFault(ErrorType.INVALID_DATA, message)
