"""The reasons that prevent a release."""

from __future__ import annotations

import pytest

from local.release import obstacles

CHANGELOG = "# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2026-11-29\n\n### Added\n\n* Things.\n\n## 0.1.0 - 2026-01-01\n"


def test_nothing_keeps_the_newest_version_of_the_changelog() -> None:
    assert (
        obstacles(version="0.2.0", changelog=CHANGELOG, changed="", tags=["v0.1.0"])
        == []
    )


@pytest.mark.parametrize(
    ("version", "changelog", "changed", "tags", "part"),
    [
        ("0.2.0", CHANGELOG, " M README.md\n", [], "README.md"),
        ("0.2.0", CHANGELOG, "", ["v0.2.0"], "v0.2.0 has been released"),
        ("0.3.0", CHANGELOG, "", [], "the newest version of the changelog is 0.2.0"),
        ("0.1.0", CHANGELOG, "", [], "the newest version of the changelog is 0.2.0"),
        (
            "0.2.0",
            CHANGELOG.replace(" - 2026-11-29", ""),
            "",
            [],
            "the newest version of the changelog is 0.1.0",
        ),
        (
            "0.2.0",
            CHANGELOG.replace("Unreleased\n", "Unreleased\n\n* More.\n"),
            "",
            [],
            "has changes in 'Unreleased'",
        ),
        (
            "0.2.0",
            CHANGELOG.replace("## Unreleased\n", ""),
            "",
            [],
            "does not begin with",
        ),
    ],
)
def test_one_thing_keeps_it(
    version: str, changelog: str, changed: str, tags: list[str], part: str
) -> None:
    (found,) = obstacles(
        version=version, changelog=changelog, changed=changed, tags=tags
    )
    assert part in found


def test_a_changelog_without_versions() -> None:
    assert (
        len(obstacles(version="0.2.0", changelog="# Changelog\n", changed="", tags=[]))
        == 2
    )
