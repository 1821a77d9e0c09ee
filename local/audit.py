"""Looks for known weaknesses: in the code with bandit, in the locked packages with pip-audit (``make audit``)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.service import PROJECT

LOCK = PROJECT / "requirements" / "dev.txt"  # has the packages of base.txt, too
FOLDERS = ("services", "shared", "local", "medcrm", "bench")
SOURCES = ("pypi", "osv")
"""The sources of advisories, in the order in which they are asked."""
REQUIRED = "AUDIT_REQUIRED"
_WAIT = 600


class NoAnswer(Exception):
    """Raised when a source of advisories cannot be reached, or knows none of the packages."""


@dataclass(frozen=True, slots=True)
class Advisories:
    """A source's answer about a lock: the number of known packages, each advisory, and the unknown packages."""

    checked: int
    found: list[str]
    unknown: list[str]


def advisories(source: str, lock: Path, environment: Mapping[str, str]) -> Advisories:
    """Ask one source about the packages of a lock.

    :raises NoAnswer: the source does not answer, or knows none of the packages.
    """
    tool = [sys.executable, "-m", "pip_audit", "--progress-spinner", "off"]
    options = ["--format", "json", "--disable-pip", "--require-hashes"]
    arguments = ["--vulnerability-service", source, "--requirement", str(lock)]
    ended = subprocess.run(
        [*tool, *options, *arguments],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=_WAIT,
    )
    # The exit code does not distinguish advisories from a source that is away.
    if not ended.stdout.startswith("{"):
        *_, reason = ended.stderr.strip().splitlines() or [f"code {ended.returncode}"]
        raise NoAnswer(reason)
    answer = _read(json.loads(ended.stdout)["dependencies"])
    if not answer.checked:
        raise NoAnswer("it knows none of the packages")
    return answer


def _read(dependencies: list[dict[str, Any]]) -> Advisories:
    unknown = [each["name"] for each in dependencies if "skip_reason" in each]
    found = [
        f"{package['name']} {package['version']}: {advisory['id']},"
        f" fixed in {', '.join(advisory['fix_versions']) or 'no version yet'}"
        for package in dependencies
        for advisory in package.get("vulns", ())
    ]
    return Advisories(len(dependencies) - len(unknown), found, unknown)


def _audit_code() -> int:
    tool = [sys.executable, "-m", "bandit", "--quiet", "--recursive"]
    command = [*tool, "--configfile", "pyproject.toml", *FOLDERS]
    ended = subprocess.run(command, cwd=PROJECT, check=False, timeout=_WAIT)
    if ended.returncode == 0:
        print("bandit: nothing found")
    return ended.returncode


def audit_packages(lock: Path, environment: Mapping[str, str]) -> int:
    """Print the result of the first source that answers about the packages, and return the exit code.

    Without a source it says that the packages were not checked, and fails if ``AUDIT_REQUIRED`` is set.
    """
    reasons = {}
    for source in SOURCES:
        try:
            answer = advisories(source, lock, environment)
        except NoAnswer as error:
            reasons[source] = str(error)
            continue
        print(f"pip-audit: {answer.checked} packages checked with {source}")
        for advisory in answer.found:
            print(f"  {advisory}")
        for name in answer.unknown:
            print(f"  NOT CHECKED: {name}, which {source} does not know")
        return 1 if answer.found else 0
    print("NOT CHECKED: known weaknesses of the locked packages (pip-audit).")
    print("No source of advisories could be reached:")
    for source, reason in reasons.items():
        print(f"  {source}: {reason}")
    if environment.get(REQUIRED):
        return 1
    return 0


def main() -> int:
    """Carry out both audits, and return 0 when neither failed."""
    codes = [_audit_code(), audit_packages(LOCK, os.environ)]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
