"""Completion in a shell: the script is valid, and its requests are answered from the commands themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from medcrm.cli import app
from medcrm.release import release


def test_the_version_is_shown() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"medcrm {release()}\n")


def test_bash_completes_commands(tmp_path: Path) -> None:
    script = CliRunner().invoke(app, ["completion", "bash"]).output
    installed = tmp_path / "medcrm"
    installed.write_text(f'#!/bin/sh\nexec {sys.executable} -m medcrm "$@"\n')
    installed.chmod(0o755)
    words = "COMP_WORDS=(medcrm ret); COMP_CWORD=1"
    complete = f'_medcrm_completion "{installed}"; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(
        ["bash", "-c", f"{script}\n{words}\n{complete}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "retry\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("medcrm runs ", ["list", "start", "follow"]),
        ("medcrm retry me", ["messages"]),
        ("medcrm status --remote-u", ["--remote-url", "--remote-username"]),
        ("medcrm completion ", ["bash", "zsh"]),
    ],
)
def test_subcommands_options_and_choices_are_completed(
    words: str, expected: list[str]
) -> None:
    variables = {
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
        "_MEDCRM_COMPLETE": "complete_bash",
    }
    result = CliRunner().invoke(app, [], env=variables, prog_name="medcrm")
    assert result.output.split() == expected


def test_zsh_has_a_script_of_its_own() -> None:
    script = CliRunner().invoke(app, ["completion", "zsh"]).output
    assert script.startswith("#compdef medcrm")
