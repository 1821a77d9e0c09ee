"""Packages tried on components: the reasons that block a step, and the order of the steps."""

from __future__ import annotations

import pytest

from shared.vault.components.mdl import parse
from shared.vault.components.registry import Registry
from shared.vault.packages.deployment_plan import actions
from shared.vault.packages.package_reading import read_package
from shared.vault.packages.package_validation import (
    DependencyStatus,
    Validation,
    missing,
    validate,
)
from tests.unit.packages.building import (
    MANIFEST,
    component_files,
    data_files,
    vpk,
    zipped,
)

COLOUR = "RECREATE Picklist colour__c ( label('Colour'), Picklistentry red__c ( label('Red') ) );"
THING = """RECREATE Object thing__c ( label('Thing'), prefix('ZTH'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field colour__c ( type('Picklist'), label('Colour'), picklist('Picklist.colour__c') ) );"""
SHADE = "RECREATE Picklist shade__c ( label('Shade') );"


@pytest.fixture
def registry() -> Registry:
    return Registry.build(s.component for s in parse(COLOUR + THING) if s.component)


def tried(registry: Registry, *parts: dict[str, bytes | str]) -> Validation:
    return validate(read_package(vpk(*parts)), registry)


BOX = """RECREATE Object box__c ( label('Box'), prefix('ZBX'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field thing__c ( type('Object'), label('Thing'), object('thing__c') ) );"""


@pytest.mark.parametrize(
    ("column", "taken"),
    [
        ("thing__c", True),
        ("thing__cr.key__c", True),
        ("thing__cr.name__v", True),
        ("thing__c.key__c", True),
        ("thing__c.name__v", True),
        ("thing__c.colour__c", False),
        ("thing__cr.nothing__c", False),
        ("key__c.name__v", False),
        ("nothing__c", False),
    ],
)
def test_columns_are_those_that_rows_may_have(
    registry: Registry, column: str, taken: bool
) -> None:
    rows = f"key__c,name__v,{column}\nA,One,x\n"
    validation = tried(
        registry,
        component_files(10, "Object.box__c", BOX),
        data_files(20, "box__c", "Upsert", rows, "key__c"),
    )
    errors = validation.steps[1].errors
    if taken:
        assert errors == []
    else:
        (error,) = errors
        assert column in error


def test_steps_that_can_be_deployed(registry: Registry) -> None:
    box = (
        THING.replace("thing__c", "box__c")
        .replace("ZTH", "ZBX")
        .replace("colour__c", "shade__c")
    )
    validation = tried(
        registry,
        component_files(10, "Picklist.colour__c", COLOUR),
        component_files(20, "Picklist.shade__c", SHADE),
        component_files(30, "Object.box__c", box),
        data_files(40, "box__c", "Upsert", "key__c,name__v\nA,One\n", "key__c"),
        component_files(
            50, "Object.thing__c", "ALTER Object thing__c ( label('A thing') );"
        ),
    )
    assert [step.errors for step in validation.steps] == [[]] * 5
    assert [step.action for step in validation.steps] == [
        "Update",
        "Add (missing in Vault)",
        "Add (missing in Vault)",
        "Upsert",
        "Update",
    ]
    assert [(d.name, status) for d, status in validation.steps[2].dependencies] == [
        ("shade__c", DependencyStatus.IN_PACKAGE)
    ]
    assert [(d.name, status) for d, status in validation.steps[3].dependencies] == [
        ("box__c", DependencyStatus.IN_PACKAGE)
    ]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (
            component_files(10, "Object.box__c", THING.replace("thing__c", "box__c")),
            "prefix",
        ),
        (
            component_files(
                10, "Object.thing__c", THING.replace("colour__c')", "gone__c')")
            ),
            "Picklist gone__c is missing",
        ),
        (
            component_files(10, "Picklist.colour__c", "DROP Picklist colour__c;"),
            "in use",
        ),
        (
            component_files(10, "Picklist.gone__c", "DROP Picklist gone__c;"),
            "does not exist",
        ),
        (
            component_files(
                10,
                "Picklist.shade__c",
                "RECREATE Picklist shade__c ( labels('Shade') );",
            ),
            "label is required",
        ),
        (
            component_files(10, "Picklist.shade__c", "RECREATE Picklist shade__c ("),
            "Line 1",
        ),
        (data_files(10, "gone__c", "Create", "a\n1\n"), "gone__c is missing"),
        (data_files(10, "thing__c", "Upsert", "name__v\nA\n"), "identifies"),
        (
            data_files(10, "thing__c", "Upsert", "name__v\nA\n", "name__v"),
            "not a unique field",
        ),
        (data_files(10, "thing__c", "Update", "name__v\nA\n"), "no column id"),
        (data_files(10, "thing__c", "Create", "name__v\nA,B\n"), "2 cells"),
    ],
)
def test_what_blocks_a_step(
    registry: Registry, files: dict[str, bytes | str], reason: str
) -> None:
    validation = tried(registry, files)
    assert validation.blocked == 1
    assert reason in validation.steps[0].errors[0]


def test_dependencies_on_parts_and_on_what_the_platform_gives(
    registry: Registry,
) -> None:
    lines = [
        ("thing__c", "Object", "key__c", "Field", DependencyStatus.IN_TARGET),
        ("thing__c", "Object", "id", "Field", DependencyStatus.IN_TARGET),
        ("thing__c", "Object", "gone__c", "Field", DependencyStatus.MISSING_BLOCK),
        (
            "colour__c",
            "Picklist",
            "red__c",
            "Picklistentry",
            DependencyStatus.IN_TARGET,
        ),
        ("default_status__v", "Picklist", "", "", DependencyStatus.IN_TARGET),
        ("thing__c.base__v", "Objecttype", "", "", DependencyStatus.MISSING_BLOCK),
        # Other Vaults have these by themselves; what a customer makes, and what is acted on here, blocks.
        ("security_profile__sys", "Object", "", "", DependencyStatus.MISSING_IGNORE),
        (
            "end_state__sys",
            "Lifecyclestatetype",
            "",
            "",
            DependencyStatus.MISSING_IGNORE,
        ),
        ("end_state__c", "Lifecyclestatetype", "", "", DependencyStatus.MISSING_BLOCK),
        ("gone__sys", "Picklist", "", "", DependencyStatus.MISSING_BLOCK),
        ("gone__c", "Object", "", "", DependencyStatus.MISSING_BLOCK),
    ]
    header = (
        "In Package,Blocking Type,Source Component Label,Source Component Name,Source Component Type,"
        "Target Component Label,Target Component Name,Target Component Type,Target Sub Component Name,"
        "Target Sub Component Type\n"
    )
    dep = header + "".join(
        f"false,block__sys,,,,,{n},{t},{sn},{st}\n" for n, t, sn, st, _ in lines
    )
    validation = tried(registry, component_files(10, "Picklist.shade__c", SHADE, dep))
    assert {
        (d.name, d.subname): status for d, status in validation.steps[0].dependencies
    } == {(name, subname): status for name, _, subname, _, status in lines}


def test_a_rule_may_fill_what_the_platform_gives_to_an_object_of_the_package(
    registry: Registry,
) -> None:
    box = THING.replace("thing__c", "box__c").replace("ZTH", "ZBX")
    rule = """RECREATE Integrationrule box__c ( label('Box'), connection('medical_crm__v'), integration_point('box__c'),
      primary_query_object('crate__c'), Fieldrule {0} ( target_object('Object.box__c'),
      target_object_field('Field.{0}'), query_object('crate__c'), query_field('name__v') ) );"""
    parts = component_files(10, "Object.box__c", box)
    given = tried(
        registry,
        parts,
        component_files(20, "Integrationrule.box__c", rule.format("name__v")),
    )
    assert [step.errors for step in given.steps] == [[], []]
    gone = tried(
        registry,
        parts,
        component_files(20, "Integrationrule.box__c", rule.format("gone__c")),
    )
    assert gone.steps[1].errors == ["Object box__c is missing its Field gone__c"]


def test_a_circle_across_steps_is_planned_in_three_statements() -> None:
    mdl = """CREATE Object {0} ( label('{0}'), prefix('{1}'),
      Field a__c ( type('Object'), label('A'), object('Object.{2}') ) );"""
    egg, hen = (
        mdl.format("egg__c", "ZEG", "hen__c"),
        mdl.format("hen__c", "ZHN", "egg__c"),
    )
    parts = (
        component_files(10, "Object.egg__c", egg),
        component_files(20, "Object.hen__c", hen),
    )
    package = read_package(vpk(*parts))
    planned = actions(package.steps, ())
    assert [
        (a.statement.name, str(a.statement.command), a.last)
        for a in planned
        if a.statement
    ] == [
        ("egg__c", "CREATE", False),
        ("hen__c", "CREATE", True),
        ("egg__c", "RECREATE", True),
    ]
    assert tried(Registry.build(), *parts).blocked == 0


CHANGE = "ALTER Object thing__c ( label_plural('Things') );"
FARM = """CREATE Object farm__c ( label('Farm'), prefix('ZFM'), Field soil__c ( type('Picklist'), label('Soil'),
  picklist('Picklist.soil__c') ) );"""
SOIL = (
    "CREATE Picklist soil__c ( label('Soil'), Picklistentry clay__c (value('Clay')) );"
)
YARD = """CREATE Object yard__c ( label('Yard'), prefix('ZYD'), Field farm__c ( type('Object'), label('Farm'),
  object('Object.farm__c') ) );"""
BARN = """CREATE Object barn__c ( label('Barn'), prefix('ZBN'),
  available_lifecycles('Objectlifecycle.barn_lifecycle__c') );"""
BARN_LIFECYCLE = """CREATE Objectlifecycle barn_lifecycle__c ( label('Barn'),
  starting_state('Objectlifecyclestate.open_state__c'), Objectlifecyclestate open_state__c ( label('Open') ) );"""
HARVEST = "CREATE Picklist harvest__c ( label('Harvest') );"


@pytest.mark.parametrize(
    ("steps", "order"),
    [
        pytest.param(
            [FARM, CHANGE, SOIL],
            ["soil__c", "farm__c", "thing__c"],
            id="values",
        ),
        pytest.param(
            [BARN, CHANGE, BARN_LIFECYCLE],
            ["barn_lifecycle__c", "barn__c", "thing__c"],
            id="lifecycle",
        ),
        pytest.param(
            [YARD, CHANGE, HARVEST, SOIL, FARM],
            ["soil__c", "farm__c", "yard__c", "thing__c", "harvest__c"],
            id="what it needs in turn",
        ),
    ],
)
def test_what_a_component_needs_comes_before_a_change_of_another(
    registry: Registry, steps: list[str], order: list[str]
) -> None:
    parts = [
        component_files(10 * number, ".".join(mdl.split()[1:3]), mdl)
        for number, mdl in enumerate(steps, 1)
    ]
    validation = tried(registry, *parts)
    assert [step.errors for step in validation.steps] == [[]] * len(steps)
    package = read_package(vpk(*parts))
    planned = actions(package.steps, registry.components.keys())
    assert [each.statement.name for each in planned if each.statement] == order


def test_nothing_comes_before_data_that_the_package_has_in_front_of_it(
    registry: Registry,
) -> None:
    parts = (
        component_files(10, "Object.farm__c", FARM),
        data_files(20, "thing__c", "Create", "name__v\nA\n"),
        component_files(30, "Picklist.soil__c", SOIL),
    )
    assert tried(registry, *parts).steps[0].errors


@pytest.mark.parametrize("name", ["crate__c", "almanac__sys"])
def test_rows_are_blocked_by_the_lack_of_their_object(
    registry: Registry, name: str
) -> None:
    rows = data_files(10, name, "Create", "name__v\nA\n")
    (step,) = tried(registry, rows).steps
    assert step.errors == [f"Object {name} is missing"]
    assert [status for _, status in step.dependencies] == ["Missing - Block"]


def test_what_a_package_creates_and_changes_is_in_it(registry: Registry) -> None:
    typed = FARM.replace("label('Farm')", "label('Farm'), allow_types(true)")
    kind = "CREATE Objecttype farm__c.dairy__c ( label('Dairy') );"
    change = "ALTER Object farm__c ( default_obj_type('Objecttype.dairy__c') );"
    base = "ALTER Objecttype farm__c.base__v ( active(false) );"
    parts = [
        component_files(10 * number, ".".join(mdl.split()[1:3]), mdl)
        for number, mdl in enumerate((SOIL, typed, kind, change, base), 1)
    ]
    validation = tried(registry, *parts)
    assert [step.errors for step in validation.steps] == [[]] * len(parts)
    (owner, status) = validation.steps[2].dependencies[0]
    assert (owner.name, status) == ("farm__c", "In Package")


BUTTON = "RECREATE Objectaction thing__c.push__c ( label('Push'), action('Recordaction.push__c') );"
DEPENDENCIES = """In Package,Blocking Type,Target Component Name,Target Component Type
false,block__sys,push__c,Recordaction
"""


def test_what_blocks_a_step_is_known_when_it_is_deployed(registry: Registry) -> None:
    blocked = component_files(20, "Objectaction.thing__c.push__c", BUTTON, DEPENDENCIES)
    whole = component_files(10, "Picklist.shade__c", SHADE)
    package = read_package(vpk(whole, blocked))
    (errors,) = missing(package, registry).values()
    assert errors == ["Recordaction push__c is missing"]
    assert validate(package, registry).blocked == 1


def test_a_description_is_read_with_capitals_as_well() -> None:
    for name in ("vaultpackage", "VaultPackage"):
        manifest = MANIFEST.format(name="P-1").replace("vaultpackage", name)
        files = {"vaultpackage.xml": manifest} | component_files(
            10, "Picklist.shade__c", SHADE
        )
        package = read_package(zipped(files))
        assert (package.name, len(package.steps)) == ("P-1", 1)
