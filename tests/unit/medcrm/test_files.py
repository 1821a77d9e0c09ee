"""Files that commands read and write: what cannot be used is refused before any call, in words."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from medcrm.cli import app

# Nobody answers there: a command that calls before it looks at its file says so.
VARIABLES = {
    "MEDCRM_URL": "http://127.0.0.1:1",
    "MEDCRM_USERNAME": "ann@example.com",
    "MEDCRM_PASSWORD": "secret",
    "MEDCRM_REMOTE_URL": "http://127.0.0.1:1",
    "MEDCRM_REMOTE_USERNAME": "ann@example.com",
    "MEDCRM_REMOTE_PASSWORD": "secret",
    "MEDCRM_CONNECTOR": "http://127.0.0.1:1",
    "COLUMNS": "400",
}
HEADER = "source_key__sys,target_key__sys\n"


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments, env=VARIABLES)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.parametrize(
    "command",
    [
        ("lookups", "download"),
        ("lookups", "missing", "medical_crm__v", "--csv"),
        ("reconcile", "--findings"),
    ],
)
def test_a_file_is_refused_where_none_can_be_written(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    absent = tmp_path / "absent"
    code, output = run(*command, str(absent / "some.csv"))
    assert (code, f"there is no folder {absent}" in output) == (2, True), output
    code, output = run(*command, str(tmp_path))
    assert (code, f"{tmp_path} is a folder" in output) == (2, True), output


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "has no column names in its first line"),
        (HEADER.encode(), "has no rows below the column names"),
        (HEADER.encode() + b",\n\n", "has no rows below the column names"),
        (b"source_key__sys;target_key__sys\na;b\n", "separated by semicolons"),
        (b"source_key__sys\ttarget_key__sys\na\tb\n", "separated by tabs"),
        (HEADER.encode() + b"a,b,c\n", "line 2 has 3 cells; the header has 2"),
        (HEADER.encode() + b'a,"b\n', "line 2: unexpected end of data"),
        (HEADER.encode("utf-16"), "is not UTF-8 text"),
        (b"PK\x03\x04,", "is a workbook"),
    ],
)
def test_a_file_without_rows_to_upload_is_refused(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "lookups.csv"
    file.write_bytes(content)
    code, output = run("lookups", "upload", str(file))
    assert (code, reason in output) == (2, True), output
    assert str(file) in output


def test_a_folder_that_cannot_be_written_or_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for command in ("export", "diff", "apply"):
        code, output = run("config", command, str(file))
        assert (code, f"{file} is not a folder" in output) == (2, True), output
    folder = tmp_path / "folder"
    (folder / "components" / "Picklist.colour__c.mdl").mkdir(parents=True)
    code, output = run("config", "diff", str(folder))
    assert (code, "[Errno" in output) == (2, False), output
    assert "Picklist.colour__c.mdl: is a directory" in output
