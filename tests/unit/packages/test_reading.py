"""Package files: steps in order, each with its errors."""

from __future__ import annotations

import pytest

from shared.vault.components.uses import Dependency
from shared.vault.packages.package_archive import PackageFault
from shared.vault.packages.package_model import ComponentStep, DataAction, DataStep
from shared.vault.packages.package_reading import read_package
from tests.unit.packages.building import (
    MANIFEST,
    component_files,
    data_files,
    md5,
    vpk,
    zipped,
)

COLOUR = "RECREATE Picklist colour__c ( label('Colour') );"


def component_step(files: dict[str, bytes | str]) -> ComponentStep:
    (step,) = read_package(vpk(files)).steps
    assert isinstance(step, ComponentStep)
    return step


def data_step(files: dict[str, bytes | str]) -> DataStep:
    (step,) = read_package(vpk(files)).steps
    assert isinstance(step, DataStep)
    return step


def test_header_and_steps_in_the_order_of_their_numbers() -> None:
    package = read_package(
        vpk(
            data_files(100, "thing__c", "upsert", "key__c,name__v\nA,One\n", "key__c"),
            component_files(20, "Picklist.colour__c", COLOUR),
            {"javasdk/src/main/java/A.java": "class A {}"},
        )
    )
    assert (package.name, package.source_vault, package.author) == (
        "PKG-0004",
        "51577",
        "jennie@pharma.example",
    )
    assert (package.summary, package.description) == (
        "A test's package",
        "Shapes & colours",
    )
    assert [step.number for step in package.steps] == ["00020", "00100"]
    assert [step.error for step in package.steps] == ["", ""]
    assert package.code == ("javasdk/src/main/java/A.java",)


def test_a_package_in_a_folder_of_its_own() -> None:
    files = {"PKG/vaultpackage.xml": MANIFEST.format(name="Inner")}
    files |= {
        f"PKG/{name}": str(text)
        for name, text in component_files(10, "Picklist.colour__c", COLOUR).items()
    }
    package = read_package(zipped(files))
    assert (package.name, len(package.steps)) == ("Inner", 1)


def test_a_component_step() -> None:
    dep = (
        "In Package,Blocking Type,Source Component Label,Source Component Name,Source Component Type,"
        "Target Component Label,Target Component Name,Target Component Type,Target Sub Component Name,"
        "Target Sub Component Type\n"
        "true,block__sys,C,colour__c,Picklist,X,thing__c,Object,key__c,Field\n"
        "true,ignore__sys,C,colour__c,Picklist,Y,thing_tab__c,Tab,,\n"
    )
    step = component_step(component_files(10, "Picklist.colour__c", COLOUR, dep))
    assert (step.key, step.label, step.checksum) == (
        ("Picklist", "colour__c"),
        "Colour",
        md5(COLOUR),
    )
    assert [(d.dependency, d.blocking) for d in step.declared] == [
        (Dependency("Object", "thing__c", "Field", "key__c"), True),
        (Dependency("Tab", "thing_tab__c"), False),
    ]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (component_files(10, "Picklist.colour__c", "RECREATE Picklist ("), "Line 1"),
        (component_files(10, "Picklist.colour__c", COLOUR * 2), "2 statements"),
        (component_files(10, "Picklist.colour__c", ""), "0 statements"),
        (component_files(10, "Picklist.shape__c", COLOUR), "another component"),
        (
            component_files(10, "Picklist.colour__c", COLOUR)
            | {"components/00010/Picklist.colour__c.md5": "00 x"},
            "checksum",
        ),
        (
            component_files(10, "Picklist.colour__c", COLOUR)
            | {
                "components/00010/Picklist.colour__c.md5": "0" * 32
                + " Picklist.colour__c"
            },
            "checksum",
        ),
        ({"components/10/Workflow.x__c.json": "{}"}, "JSON"),
        ({"components/10/Picklist.x__c.mdl": b"\xff"}, "UTF-8"),
    ],
)
def test_what_can_be_wrong_with_a_component_step(
    files: dict[str, bytes | str], reason: str
) -> None:
    assert reason in component_step(files).error


def test_a_data_step() -> None:
    step = data_step(
        data_files(
            10,
            "thing__c",
            "UPSERT",
            'key__c,name__v\r\nA,"One, two"\r\n\r\nB,\r\n',
            "key__c",
        )
        | {}
    )
    # The blank line counts neither as a record nor against one.
    assert "records" in step.error
    step = data_step(
        data_files(
            10,
            "thing__c",
            "UPSERT",
            'key__c,name__v\r\nA,"One, two"\r\nB,\r\n',
            "key__c",
        )
    )
    assert (step.error, step.object_name, step.action, step.id_param) == (
        "",
        "thing__c",
        DataAction.UPSERT,
        "key__c",
    )
    assert list(step.rows(1)) == [{"key__c": "B", "name__v": ""}]
    # Read anew each time, since no row is kept.
    assert [row["key__c"] for row in step.rows()] == ["A", "B"]
    assert step.count == 2


@pytest.mark.parametrize(
    ("rows", "action", "reason"),
    [
        ("key__c\nA\n", "Merge", "action"),
        ("key__c,\nA,B\n", "Create", "Record 1 has 2 cells"),
        ("key__c,,b\nA,B,C\n", "Create", "a value in column 2"),
        ("key__c;b\nA;B\n", "Create", "save it as CSV UTF-8 (comma delimited)"),
        ("key__c,key__c\nA,B\n", "Create", "repeated"),
        ("", "Create", "no column names"),
        ("key__c\nA,B\n", "Create", "2 cells"),
        ('key__c\n"A\n', "Create", "not CSV"),
    ],
)
def test_what_can_be_wrong_with_a_data_step(
    rows: str, action: str, reason: str
) -> None:
    assert reason in data_step(data_files(10, "thing__c", action, rows)).error


def test_columns_and_rows_that_a_spreadsheet_leaves_are_left_out() -> None:
    rows = "key__c,name__v,,\nA,One,,\n,,,\n\nB,Two\n"
    files = data_files(10, "thing__c", "Create", rows)
    counted: dict[str, bytes | str] = {
        name: str(text).replace(">4<", ">2<") for name, text in files.items()
    }
    step = data_step(counted)
    assert (step.error, step.header) == ("", ("key__c", "name__v"))
    assert list(step.cells()) == [["A", "One"], ["B", "Two"]]


def test_data_that_are_not_what_their_description_says() -> None:
    files = data_files(10, "thing__c", "Create", "key__c\nA\n")
    csv_name, xml_name = files
    xml = str(files[xml_name])
    assert "checksum" in data_step(files | {csv_name: "key__c\nB\n"}).error
    assert (
        "as many records"
        in data_step(
            files | {xml_name: xml.replace("<recordcount>1", "<recordcount>2")}
        ).error
    )
    assert (
        "not records"
        in data_step(files | {xml_name: xml.replace(">Object<", ">Document<")}).error
    )


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"vaultpackage.xml": "<other/>"},
        {"vaultpackage.xml": '<!DOCTYPE a [<!ENTITY x "y">]><vaultpackage/>'},
        {"vaultpackage.xml": "<vaultpackage/>", "components/x.mdl": ""},
        {"vaultpackage.xml": "<vaultpackage/>", "components/1a/x.mdl": ""},
        {"vaultpackage.xml": "<vaultpackage/>", "components/10/deep/x.mdl": ""},
        {"vaultpackage.xml": "<vaultpackage/>", "components/10/x.csv": "a\n"},
        {
            "vaultpackage.xml": "<vaultpackage/>",
            "components/10/x.csv": "a\n",
            "components/10/x.CSV": "a\n",
        },
        {
            "vaultpackage.xml": "<vaultpackage/>",
            "components/10/x.mdl": "",
            "components/10/x.dep": b"\xff",
        },
        {
            "a/vaultpackage.xml": "<vaultpackage/>",
            "b/vaultpackage.xml": "<vaultpackage/>",
        },
    ],
)
def test_files_that_are_no_packages(files: dict[str, bytes | str]) -> None:
    with pytest.raises(PackageFault):
        read_package(zipped(files))
