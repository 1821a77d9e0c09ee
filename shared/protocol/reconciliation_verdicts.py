"""Names the verdicts of a reconciliation, which connectors report and Vaults count."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never


class Verdict(StrEnum):
    """The verdict of a reconciliation on one source record at one integration point.

    * ``MISSING``: the target lacks a record that the rules write for it.
    * ``DIFFERENT``: a target field has another value than the rules give it.
    * ``FAILING``: the rules cannot evaluate its target values, and no user exception says so.
    * ``EXTRA``: the target has a record of it, but in the source it is deleted or filtered out.
    * ``NOT_ALLOWED``: the target has a record of it, but the data usage agreement no longer allows it to be pulled.
    * ``UNDER_WAY``: it differs, and was changed so recently that its transfer may be under way.
    * ``EXPLAINED``: it differs, and an open or ignored user exception says why.
    * ``EQUAL``: the target has the values that the rules give.
    * ``NOT_EXPECTED``: the rules no longer write a record for it, and the target has none.
    """

    MISSING = "missing"
    DIFFERENT = "different"
    FAILING = "failing"
    EXTRA = "extra"
    NOT_ALLOWED = "not_allowed"
    UNDER_WAY = "under_way"
    EXPLAINED = "explained"
    EQUAL = "equal"
    NOT_EXPECTED = "not_expected"

    @property
    def is_finding(self) -> bool:
        """Return whether a person has to examine a record with this verdict."""
        match self:
            case (
                Verdict.MISSING
                | Verdict.DIFFERENT
                | Verdict.FAILING
                | Verdict.EXTRA
                | Verdict.NOT_ALLOWED
            ):
                return True
            case (
                Verdict.UNDER_WAY
                | Verdict.EXPLAINED
                | Verdict.EQUAL
                | Verdict.NOT_EXPECTED
            ):
                return False
            case _:
                assert_never(self)

    @property
    def is_expected(self) -> bool:
        """Return whether the target should have a record of a source record with this verdict."""
        match self:
            case (
                Verdict.MISSING
                | Verdict.DIFFERENT
                | Verdict.FAILING
                | Verdict.UNDER_WAY
                | Verdict.EXPLAINED
                | Verdict.EQUAL
            ):
                return True
            case Verdict.EXTRA | Verdict.NOT_ALLOWED | Verdict.NOT_EXPECTED:
                return False
            case _:
                assert_never(self)


FINDINGS = tuple(verdict for verdict in Verdict if verdict.is_finding)
"""The verdicts that are findings, in the order in which they are shown."""

TRANSFERABLE = tuple(verdict for verdict in FINDINGS if verdict.is_expected)
"""The findings that a further transfer may mend; what is too much in the target, no transfer removes."""
