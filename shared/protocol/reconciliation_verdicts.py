"""Names the verdicts of a reconciliation, which connectors report and Vaults count."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never


class Verdict(StrEnum):
    """What a reconciliation says of one source record at one integration point.

    * ``MISSING``: the target lacks a record that the rules make of it.
    * ``DIFFERENT``: a target field has another value than the rules give it.
    * ``FAILING``: the rules cannot make its target values, and no user exception says so.
    * ``EXTRA``: the target has a record of it, and it is gone or filtered out.
    * ``NOT_ALLOWED``: the target has a record of it, and the data usage agreement no longer lets it be pulled.
    * ``UNDER_WAY``: it differs, and was changed so lately that its transfer may still come.
    * ``EXPLAINED``: it differs, and an open or ignored user exception says why.
    * ``EQUAL``: the target has what the rules make of it.
    * ``NOT_EXPECTED``: the rules make nothing of it any more, and the target has nothing of it.
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
        """Return whether somebody has to look at a record with this verdict."""
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
