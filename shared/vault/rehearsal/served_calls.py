"""Checks that a fault may apply to a call that a Vault serves, so that a mistyped switch is refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault
from shared.vault.rehearsal.fault_switches import NEVER_STRUCK, Target


@dataclass(frozen=True, slots=True)
class ServedCall:
    """A route of a Vault: its path, with parameters in braces, and its methods."""

    path: str
    methods: frozenset[str]

    @property
    def may_be_struck(self) -> bool:
        """Return whether faults may apply to the route."""
        return not any(pattern.matches(self.path) for pattern in NEVER_STRUCK)


def require_served(target: Target, served: Iterable[ServedCall]) -> None:
    """Check that a switch applies to at least one served call.

    :raises VaultFault: INVALID_DATA when the pattern matches no call, or no call that takes the method.
    """
    path = target.path
    if path is None:
        return
    reached = [
        call for call in served if call.may_be_struck and path.reaches(call.path)
    ]
    if not reached:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"[path] {path.text} matches no call of this Vault to which faults apply",
        )
    if target.method and not any(target.method in call.methods for call in reached):
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"[method] No call of the path {path.text} takes {target.method}",
        )
