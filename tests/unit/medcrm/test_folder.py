"""Configurations in folders: written in one way; reading names every fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from medcrm.configuration import (
    Configuration,
    ConfigurationFault,
    Table,
    read_component,
)
from medcrm.folder import read_folder, write_folder

TEXT = "RECREATE Picklist colour__c ( label('Colour') );"
ROWS = {
    "b__v": {"api_name__sys": "b__v", "description__sys": 'with "quotes",\nand lines'},
    "a__v": {"api_name__sys": "a__v", "description__sys": ""},
}
TABLE = Table(
    "api_name__sys", ("api_name__sys", "description__sys"), ROWS, {"a__v": "V0B1"}
)


def configuration() -> Configuration:
    component = read_component("Picklist.colour__c", TEXT)
    return Configuration({component.name: component}, {"connection__sys": TABLE})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert write_folder(tmp_path / "medical", configuration()) == (2, 0)
    found = read_folder(tmp_path / "medical")
    assert found.components == configuration().components
    assert (
        found.tables["connection__sys"].rows,
        found.tables["connection__sys"].ids,
    ) == (ROWS, {})
    texts = "".join(file.read_text() for file in sorted(tmp_path.rglob("*.*")))
    assert "V0B1" not in texts


def test_writing_again_writes_nothing_and_removes_what_is_gone(tmp_path: Path) -> None:
    write_folder(tmp_path, configuration())
    assert write_folder(tmp_path, configuration()) == (0, 0)
    (tmp_path / "notes.txt").write_text("mine")
    assert write_folder(tmp_path, Configuration()) == (0, 2)
    assert (tmp_path / "notes.txt").exists()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("components/Picklist.colour__c.mdl", "RECREATE Picklist (", "Line 1"),
        ("components/Picklist.colour__c.mdl", TEXT * 2, "one RECREATE"),
        (
            "components/Picklist.colour__c.mdl",
            "DROP Picklist colour__c;",
            "one RECREATE",
        ),
        ("components/Picklist.shape__c.mdl", TEXT, "another component"),
        ("records/case__v.csv", "id\n1\n", "not configuration"),
        ("records/connection__sys.csv", "name__v\nA\n", "no column api_name__sys"),
        ("records/connection__sys.csv", "api_name__sys,name__v\nA\n", "line 2"),
        ("records/connection__sys.csv", "api_name__sys,,a\nA,b,c\n", "column 2"),
        ("records/connection__sys.csv", "api_name__sys;a\nA;b\n", "save it as CSV"),
        ("records/connection__sys.csv", "api_name__sys,name__v\n,B\n", "line 2"),
        (
            "records/connection__sys.csv",
            "api_name__sys\nA\nA\n",
            "line 3: repeats the api_name__sys A",
        ),
        ("records/connection__sys.csv", 'api_name__sys\n"A\n', "unexpected end"),
        ("readme.txt", "", "neither"),
    ],
)
def test_what_cannot_be_used_is_named(
    tmp_path: Path, name: str, content: str, reason: str
) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(content)
    with pytest.raises(ConfigurationFault, match=reason):
        read_folder(tmp_path)


def test_text_that_is_no_text_and_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "components").mkdir()
    (tmp_path / "components" / "Picklist.a__c.mdl").write_bytes(b"\xff")
    with pytest.raises(ConfigurationFault, match="UTF-8"):
        read_folder(tmp_path)
    with pytest.raises(ConfigurationFault, match="not a folder"):
        read_folder(tmp_path / "nothing")


def test_a_file_from_a_spreadsheet_may_have_columns_and_rows_that_are_empty(
    tmp_path: Path,
) -> None:
    file = tmp_path / "records" / "connection__sys.csv"
    file.parent.mkdir()
    file.write_text("api_name__sys,name__v,,\nb__v,B,,\n,,,\n\nc__v,C\n")
    found = read_folder(tmp_path).tables["connection__sys"]
    assert found.columns == ("api_name__sys", "name__v")
    assert list(found.rows) == ["b__v", "c__v"]
