"""Coverage by package, and the floors that it misses."""

from __future__ import annotations

import pytest

from local.coverage_floors import Floor, Summary, percent, shortfalls

FILES = {
    "shared/one/a.py": Summary(
        num_statements=10, covered_lines=9, num_branches=4, covered_branches=2
    ),
    "shared/one/b.py": Summary(
        num_statements=6, covered_lines=4, num_branches=0, covered_branches=0
    ),
    "shared/one_more/c.py": Summary(
        num_statements=8, covered_lines=0, num_branches=0, covered_branches=0
    ),
}


def test_lines_and_branches_count_alike() -> None:
    assert percent(FILES, "shared/one") == 75


def test_a_package_without_files_is_a_fault() -> None:
    with pytest.raises(LookupError, match="shared/two"):
        percent(FILES, "shared/two")


@pytest.mark.parametrize(("least", "count"), [(74.99, 0), (75, 0), (75.01, 1)])
def test_a_floor_is_reached_or_named(least: float, count: int) -> None:
    found = shortfalls({"all": FILES}, [Floor("shared/one", "all", least, aim=90)])
    assert len(found) == count
    assert all("shared/one by all tests: 75.00 %" in line for line in found)
