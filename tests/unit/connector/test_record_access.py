"""The contract of RecordAccess, on records in memory and on writes that are only planned."""

from __future__ import annotations

import pytest

from services.connector.points.planned_writes import PlannedWrites
from tests.record_access_contract import RecordsContract, ResultsContract, Tried
from tests.unit.connector.standard_vaults import medical_vault


class TestRecordsInMemory(RecordsContract):
    """Records in memory, by which the points are tested."""

    @pytest.fixture
    def tried(self) -> Tried:
        vault = medical_vault()
        return Tried(vault, vault)


class TestPlannedWrites(ResultsContract):
    """Writes that a preview only notes."""

    @pytest.fixture
    def tried(self) -> Tried:
        vault = medical_vault()
        return Tried(PlannedWrites(vault, {}), vault)
