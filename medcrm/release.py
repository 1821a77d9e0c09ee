"""Finds the version of the project."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DISTRIBUTION = "medical-crm-connection"
PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def release() -> str:
    """Return the version of the installed package, or of the checkout in which this runs."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        project = tomllib.loads(PROJECT.read_text("utf-8"))
        return str(project["project"]["version"])
