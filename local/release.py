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
    """Return a text for each obstacle to the release of ``version``; ``changed`` lists uncommitted changes."""
    found = []
    if changed:
        found.append(f"there are changes that are not committed:\n{changed.rstrip()}")
    if f"v{version}" in tags:
        found.append(
            f"v{version} has been released; give pyproject.toml and the changelog the next version"
        )
    # The text before the first heading, then each heading and the text below it.
    _, *parts = _SECTION.split(changelog)
    headings, texts = parts[::2], parts[1::2]
    if headings[:1] != ["Unreleased"]:
        found.append("the changelog does not begin with the section 'Unreleased'")
    elif texts[0].strip():
        found.append(
            "the changelog has changes in 'Unreleased'; move them into a section with version and date"
        )
    newest = "none"
    # Newest first, so the first dated heading is the newest version.
    for heading in headings:
        dated = _DATED.fullmatch(heading)
        if dated is not None:
            newest = dated.group(1)
            break
    if newest != version:
        found.append(
            f"pyproject.toml says {version}, and the newest version of the changelog is {newest}"
        )
    return found


def _git(*arguments: str) -> str:
    ended = subprocess.run(
        ["git", *arguments],
        cwd=_PROJECT,
        check=True,
        capture_output=True,
        text=True,
    )
    return ended.stdout


def main() -> int:
    """Check the version, and with the argument ``tag`` also tag it; return 0 when nothing prevents the release."""
    text = (_PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    document = tomllib.loads(text)
    version = str(document["project"]["version"])
    changelog = (_PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    changed = _git("status", "--porcelain")
    tags = _git("tag")
    found = obstacles(
        version=version,
        changelog=changelog,
        changed=changed,
        tags=tags.split(),
    )
    for obstacle in found:
        print(obstacle, file=sys.stderr)
    if found:
        return 1
    # `make release` calls this twice: without "tag" before all tests, so that an obstacle shows at once.
    if sys.argv[1:] == ["tag"]:
        _git("tag", "--annotate", f"v{version}", "--message", f"Version {version}")
        print(f"Tagged v{version}; `git push origin v{version}` publishes it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
