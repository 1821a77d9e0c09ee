"""Runs the unit tests and then all others with coverage, prints what each package has, and fails below the floors.

Branches count as lines do, and processes that tests start count with the tests.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

_DATA = Path(".coverage-data")
_UNIT, _ALL = "unit", "all"
# The unit tests run first, so that what they reach alone is known; all is both steps together.
_STEPS = {_UNIT: ["tests/unit"], "other": ["tests/service", "tests/system"]}
_SHARED = ("shared/vault", "shared/client", "shared/spark", "shared/runtime")
_PACKAGES = ("services/connector", "services", *_SHARED, "medcrm", "local")


class Summary(TypedDict):
    """What the report says of one file."""

    num_statements: int
    covered_lines: int
    num_branches: int
    covered_branches: int


@dataclass(frozen=True, slots=True)
class Floor:
    """The least that tests have to reach of a package, in per cent; ``aim`` is what it is to become."""

    package: str
    tests: str
    least: float
    aim: float


FLOORS = (
    Floor("services/connector", _UNIT, 47, aim=85),
    Floor("services/connector", _ALL, 91, aim=95),
    Floor("shared/vault", _ALL, 90, aim=90),
)


def percent(files: Mapping[str, Summary], package: str) -> float:
    """Return how much of a package is reached, lines and branches together.

    :raises LookupError: there is no file of it in the report.
    """
    there = reached = 0
    for path, summary in files.items():
        if path.startswith(f"{package}/"):
            there += summary["num_statements"] + summary["num_branches"]
            reached += summary["covered_lines"] + summary["covered_branches"]
    if not there:
        raise LookupError(f"the report has nothing of {package}")
    return 100 * reached / there


def shortfalls(reports: Mapping[str, Mapping[str, Summary]], floors: Sequence[Floor] = FLOORS) -> list[str]:
    """Say of each floor that is not reached what is missing; ``reports`` are by the tests that ran."""
    found = ((floor, percent(reports[floor.tests], floor.package)) for floor in floors)
    return [
        f"{floor.package} by {floor.tests} tests: {reached:.2f} %, and {floor.least:g} % are the least"
        for floor, reached in found
        if reached < floor.least
    ]


def table(reports: Mapping[str, Mapping[str, Summary]]) -> str:
    """Return a line for each package, with a column for each report."""
    head = f"{'per cent of lines and branches':32}" + "".join(f"{f'{tests} tests':>12}" for tests in reports)
    rows = (
        f"{package:32}" + "".join(f"{percent(files, package):12.2f}" for files in reports.values())
        for package in _PACKAGES
    )
    return "\n".join([head, *rows])


def _coverage(*arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", "coverage", *arguments], check=False).returncode


def _report(name: str, directories: Sequence[Path]) -> Mapping[str, Summary]:
    """Put data together and return the summary of each file."""
    data, page = _DATA / name, _DATA / f"{name}.json"
    # Each file by its name: of a folder, only those would be taken that are called as what they are put into.
    sources = [str(file) for directory in directories for file in directory.iterdir()]
    if _coverage("combine", "--quiet", "--keep", f"--data-file={data}", *sources):
        raise SystemExit("no coverage data to put together")
    if _coverage("json", "--quiet", f"--data-file={data}", f"-o{page}"):
        raise SystemExit("no report of the coverage data")
    report = json.loads(page.read_text(encoding="utf-8"))
    return {path: file["summary"] for path, file in report["files"].items()}


def main() -> int:
    """Run, report, and return 0 if all tests passed and all floors are reached."""
    shutil.rmtree(_DATA, ignore_errors=True)
    for name, folders in _STEPS.items():
        (_DATA / "parts" / name).mkdir(parents=True)
        data = f"--data-file={(_DATA / 'parts' / name / 'data').resolve()}"
        tests = ["-m", "pytest", "-n", "auto", "--maxprocesses", "8", *folders]
        if code := _coverage("run", data, *tests):
            return code
    parts = {name: _DATA / "parts" / name for name in _STEPS}
    reports = {_UNIT: _report(_UNIT, [parts[_UNIT]]), _ALL: _report(_ALL, list(parts.values()))}
    print(table(reports))
    missing = shortfalls(reports)
    for line in missing:
        print(line, file=sys.stderr)
    print(f"by file: {Path(sys.executable).parent / 'coverage'} report --data-file={_DATA / _ALL}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
