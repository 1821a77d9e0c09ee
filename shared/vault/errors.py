"""Defines the error that callers of a Vault see, and lists the internal ones as a tree.

* VaultFault: one entry of the API's error list; becomes a FAILURE envelope or an error page

Raised between parts of the Vault, and caught by the calling part, which reports them in its own terms:

* VqlError (``vql.vql_errors``), with the error type that the caller sees

  - VqlSyntaxError
  - VqlNameError
  - VqlLimitError

* MdlSyntaxError, ComponentError (``components.component_errors``), with the code of the statement's result
* MergeConflict (``components.merging``)
* InvalidValue (``records.field_values``), RowsRefused (``records.named_actions``), RaceLost (``records.row_rules``)
* ComponentsChanged (``configuration.component_locks``): the transaction is repeated with the new components
* TablesBusy (``configuration.component_locks``): the change of components is repeated
* PackageFault, StepFault, DeploymentFailed (``packages``)
* TreeRefused (``bulk.tree_jobs``)
* InvalidDocument (``connections.connection_file``)
* StoreError (``files.file_store``)

  - NotFound
  - AlreadyThere
  - NotEmpty
  - TooLarge
  - ChecksumMismatch

* DatabaseUnavailable (``storage.database``): PostgreSQL cannot be reached for a time
* StandardLoadFailed (``configuration.standard_items``): the Vault does not start
* NotNow (``notifications.mail``): the e-mail stays queued
* XmlFault (``components.strict_xml``): each reader reports it in its own terms
* UnsuitableLiteral (``vql.operands``), converted to a VqlError
* JobStopped (``jobs.job_model``)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.protocol.error_types import ErrorType


@dataclass(frozen=True, slots=True)
class ApiError:
    """One entry of an envelope's ``errors`` list."""

    type: ErrorType
    message: str


MAX_ERRORS = 20
"""The number of errors of one row or call that an answer lists, since each member of a row may have one."""


def bounded_errors(errors: Sequence[ApiError]) -> list[ApiError]:
    """Return the errors; of more than 20, the first ones, and one error that counts the others."""
    named = list(errors[:MAX_ERRORS])
    left = len(errors) - len(named)
    if left:
        named.append(ApiError(named[-1].type, f"There are at least {left} more errors"))
    return named


@dataclass(slots=True, kw_only=True)
class RowErrors:
    """Collects the errors that prevent a row of a call from being carried out."""

    errors: list[ApiError] = field(default_factory=list)

    def fail(self, error_type: ErrorType, message: str) -> None:
        """Add an error of the row."""
        error = ApiError(error_type, message)
        self.errors.append(error)


class VaultFault(Exception):
    """A request that cannot be carried out; becomes a FAILURE envelope with one typed error."""

    def __init__(self, type: ErrorType, message: str) -> None:
        super().__init__(message)
        self.error = ApiError(type, message)
