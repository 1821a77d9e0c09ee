"""Runs the unit tests and then all others with coverage, prints each package's percentage, and fails below the floors.

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
    """The counts of one file in coverage's report."""

    num_statements: int
    covered_lines: int
    num_branches: int
    covered_branches: int


@dataclass(frozen=True, slots=True)
class Floor:
    """The least percentage of a package that tests must reach; ``aim`` is the floor to be reached in the end."""

    package: str
    tests: str
    least: float
    aim: float


FLOORS = (
    Floor("services/connector", _UNIT, 95, aim=85),
    Floor("services/connector", _ALL, 95, aim=95),
    Floor("shared/vault", _ALL, 90, aim=90),
)


def percent(files: Mapping[str, Summary], package: str) -> float:
    """Return how much of a package is reached, lines and branches together.

    :raises LookupError: the report has no file of the package.
    """
    total = reached = 0
    for path, summary in files.items():
        if path.startswith(f"{package}/"):
            total += summary["num_statements"]
            total += summary["num_branches"]
            reached += summary["covered_lines"]
            reached += summary["covered_branches"]
    if not total:
        raise LookupError(f"the report has nothing of {package}")
    return 100 * reached / total


def shortfalls(
    reports: Mapping[str, Mapping[str, Summary]], floors: Sequence[Floor] = FLOORS
) -> list[str]:
    """Return a line for each missed floor; ``reports`` has a report for ``unit`` and one for ``all``."""
    missing = []
    for floor in floors:
        reached = percent(reports[floor.tests], floor.package)
        if reached < floor.least:
            subject = f"{floor.package} by {floor.tests} tests"
            missing.append(
                f"{subject}: {reached:.2f} %, the floor is {floor.least:g} %"
            )
    return missing


def table(reports: Mapping[str, Mapping[str, Summary]]) -> str:
    """Return a line for each package, with a column for each report."""
    head = f"{'per cent of lines and branches':32}"
    for tests in reports:
        title = f"{tests} tests"
        head += f"{title:>12}"
    lines = [head]
    for package in _PACKAGES:
        line = f"{package:32}"
        for files in reports.values():
            line += f"{percent(files, package):12.2f}"
        lines.append(line)
    return "\n".join(lines)


def _coverage(*arguments: str) -> int:
    command = [sys.executable, "-m", "coverage", *arguments]
    ended = subprocess.run(command, check=False)
    return ended.returncode


def _report(name: str, directories: Sequence[Path]) -> Mapping[str, Summary]:
    """Combine the data files of some steps and return the summary of each source file."""
    data, page = _DATA / name, _DATA / f"{name}.json"
    # Each file by its name: from a folder, coverage would take only files that begin with the name of ``data``.
    sources: list[str] = []
    for directory in directories:
        sources.extend(str(file) for file in directory.iterdir())
    if _coverage("combine", "--quiet", "--keep", f"--data-file={data}", *sources):
        raise SystemExit("no coverage data to combine")
    if _coverage("json", "--quiet", f"--data-file={data}", f"-o{page}"):
        raise SystemExit("no report of the coverage data")
    report = json.loads(page.read_text(encoding="utf-8"))
    return {path: file["summary"] for path, file in report["files"].items()}


def main() -> int:
    """Run the tests, print the report, and return 0 if all tests passed and all floors are reached."""
    # Data of an earlier run would be counted, too.
    shutil.rmtree(_DATA, ignore_errors=True)
    for name, folders in _STEPS.items():
        folder = _DATA / "parts" / name
        folder.mkdir(parents=True)
        # Absolute: a process that a test starts may work in another directory.
        file = (folder / "data").resolve()
        data = f"--data-file={file}"
        tests = ["-m", "pytest", "-n", "auto", "--maxprocesses", "8", *folders]
        if code := _coverage("run", data, *tests):
            return code
    parts = {name: _DATA / "parts" / name for name in _STEPS}
    reports = {
        _UNIT: _report(_UNIT, [parts[_UNIT]]),
        _ALL: _report(_ALL, list(parts.values())),
    }
    print(table(reports))
    missing = shortfalls(reports)
    for line in missing:
        print(line, file=sys.stderr)
    command = Path(sys.executable).parent / "coverage"
    print(f"by file: {command} report --data-file={_DATA / _ALL}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
