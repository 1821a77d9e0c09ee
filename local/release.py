"""Checks that the newest version of the changelog can be released, and tags it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Collection
from pathlib import Path

_PROJECT = Path(__file__).resolve().parent.parent
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_DATED = re.compile(r"(\d+\.\d+\.\d+) - \d{4}-\d{2}-\d{2}")


def obstacles(
    *, version: str, changelog: str, changed: str, tags: Collection[str]
) -> list[str]:
    """Say what keeps ``version`` from being released; ``changed`` is what git says is not committed."""
    found = []
    if changed:
        found.append(f"there are changes that are not committed:\n{changed.rstrip()}")
    if f"v{version}" in tags:
        found.append(
            f"v{version} has been released; give pyproject.toml and the changelog the next version"
        )
    # What stands before the first heading, then headings and what is below each, by turns.
    _, *parts = _SECTION.split(changelog)
    sections = list(zip(parts[::2], parts[1::2], strict=True))
    if not sections or sections[0][0] != "Unreleased":
        found.append("the changelog does not begin with the section 'Unreleased'")
    elif sections[0][1].strip():
        found.append(
            "the changelog has changes in 'Unreleased'; move them into a section with version and date"
        )
    dated = [match for heading, _ in sections if (match := _DATED.fullmatch(heading))]
    newest = dated[0].group(1) if dated else "none"
    if newest != version:
        found.append(
            f"pyproject.toml says {version}, and the newest version of the changelog is {newest}"
        )
    return found


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=_PROJECT, check=True, capture_output=True, text=True
    ).stdout


def main() -> int:
    """Check, and with the argument ``tag`` also tag."""
    version = str(
        tomllib.loads((_PROJECT / "pyproject.toml").read_text(encoding="utf-8"))[
            "project"
        ]["version"]
    )
    found = obstacles(
        version=version,
        changelog=(_PROJECT / "CHANGELOG.md").read_text(encoding="utf-8"),
        changed=_git("status", "--porcelain"),
        tags=_git("tag").split(),
    )
    for obstacle in found:
        print(obstacle, file=sys.stderr)
    if found:
        return 1
    if sys.argv[1:] == ["tag"]:
        _git("tag", "--annotate", f"v{version}", "--message", f"Version {version}")
        print(f"Tagged v{version}; `git push origin v{version}` publishes it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
