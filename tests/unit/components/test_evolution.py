"""Statements in steps: conditions, renamed components and their references, refusals."""

from __future__ import annotations

import pytest

from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_tree import Component
from shared.vault.components.evolution import Renaming, steps
from shared.vault.components.mdl import parse
from shared.vault.components.registry import MAX_CUSTOM_OBJECTS, Registry
from shared.vault.components.schema_changes import rename_column, rename_table
from tests.unit.components.builders import object_of, run

BASE = """
CREATE Picklist size__c (label('Size'), Picklistentry big__c (label('Big')), Picklistentry small__v (label('Small')));
CREATE Objectlifecycle life__c (label('Life'), starting_state('Objectlifecyclestate.new__c'),
  Objectlifecyclestate new__c (label('New'),
    Objectlifecyclestateuseraction go__c (label('Go'), action('change_state'), next_state('old__c'),
      prompts('note__c'))),
  Objectlifecyclestate old__c (label('Old'),
    Objectlifecyclestateentrycriterion noted__c (required_field('note__c'),
      condition('size__c = ''big__c'' OR note__c = null')),
    Objectlifecyclestateentrycriterion big__c (criteria('size__c = ''big__c'' AND note__c != ''note__c'''))),
  Objectlifecyclestateentryaction old__c.mark__c (action('set_field'), field('note__c'), value('note__c')));
CREATE Object thing__c (label('Thing'), prefix('V0T'), lifecycle('Objectlifecycle.life__c'), allow_types(true),
  default_type('special__c'),
  Field note__c (label('Note'), type('String'), unique(true)),
  Field size__c (label('Size'), type('Picklist'), picklist('Picklist.size__c')));
"""
REST = """
CREATE Objecttype thing__c.special__c (label('Special'), Typefield note__c (required(true)));
CREATE Object part__c (label('Part'), prefix('V0P'),
  Field thing__c (label('Thing'), type('Object'), object('thing__c')));
CREATE Integrationrule rule__c (connection('x__c'),
  Fieldrule note__c (target_object('Object.thing__c'), target_object_field('Field.note__c'), field_default('x')),
  Fieldrule thing__c (target_object('Object.part__c'), target_object_field('Field.thing__c'),
    target_field_lookup('note__c'), field_default('x')));
CREATE Pagelayout page__c (label('Page'),
  page_markup({<p c="Object.thing__c" s="Objectlifecyclestate.life__c.old__c"/>}));
"""


@pytest.fixture(scope="module")
def registry() -> Registry:
    begun = run(BASE.replace("default_type('special__c'),", ""))
    return run(REST + "ALTER Object thing__c (default_type('special__c'));", begun)


def refused(text: str, registry: Registry) -> ComponentError:
    with pytest.raises(ComponentError) as caught:
        run(text, registry)
    return caught.value


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("CREATE Picklist IF NOT EXISTS size__c (label('Other'));", 0),
        ("RECREATE Picklist IF EXISTS other__c (label('Other'));", 0),
        ("RECREATE Picklist IF NOT EXISTS other__c (label('Other'));", 1),
        ("ALTER Picklist IF EXISTS other__c (label('Other'));", 0),
        ("ALTER Picklist IF EXISTS size__c (label('Other'));", 1),
        ("RENAME Picklist IF EXISTS other__c TO more__c;", 0),
        ("DROP Picklist IF EXISTS other__c;", 0),
        (
            "ALTER Picklist size__c (label('A'), RENAME Picklistentry big__c TO large__c, label('B'));",
            3,
        ),
    ],
)
def test_steps_of_a_statement(registry: Registry, text: str, count: int) -> None:
    (statement,) = parse(text)
    assert len(steps(statement, registry)) == count


def test_conditions_inside_alter(registry: Registry) -> None:
    after = run(
        """ALTER Picklist size__c (
             ADD Picklistentry IF NOT EXISTS big__c (label('Never')),
             ADD Picklistentry IF NOT EXISTS tiny__c (label('Tiny')),
             MODIFY Picklistentry IF EXISTS none__c (label('Never')),
             RENAME Picklistentry IF EXISTS none__c TO some__c,
             DROP Picklistentry IF EXISTS none__c);""",
        registry,
    )
    labels = {
        entry.name: entry.label for entry in after.picklists["size__c"].entries.values()
    }
    assert labels == {"big__c": "Big", "small__v": "Small", "tiny__c": "Tiny"}


def test_values_are_added_to_and_dropped_from_an_attribute() -> None:
    after = run(
        "CREATE Doctype d__c (label('D'), fields('a', 'b'));"
        "ALTER Doctype d__c (fields ADD ('b', 'c'), fields DROP ('a'), filters ADD ('x'));"
    )
    component = after.components["Doctype", "d__c"]
    assert (component.texts("fields"), component.texts("filters")) == (
        ("b", "c"),
        ("x",),
    )


def test_a_value_of_a_picklist_has_one_label() -> None:
    after = run(
        "CREATE Picklist p__c (label('P'), Picklistentry a__c (label('A')));"
        "ALTER Picklist p__c (MODIFY Picklistentry a__c (value('B')));"
    )
    assert after.picklists["p__c"].entries["a__c"].label == "B"


def test_a_renamed_object_takes_its_types_and_references_along(
    registry: Registry,
) -> None:
    (statement,) = parse("RENAME Object thing__c TO object__c;")
    (step,) = steps(statement, registry)
    assert step.renaming == Renaming("Object", "thing__c", "object__c")
    after = step.after
    assert after.objects["object__c"].default_type == "special__c"
    assert after.objects["part__c"].fields["thing__c"].object == "object__c"
    assert ("object__c", "special__c") in after.object_types
    assert ("thing__c", "special__c") not in after.object_types
    rule = after.components["Integrationrule", "rule__c"]
    assert rule.children[0].text("target_object") == "Object.object__c"
    assert 'c="Object.object__c"' in after.components["Pagelayout", "page__c"].text(
        "page_markup"
    )


def test_a_renamed_field_is_renamed_in_rules_types_and_its_lifecycle(
    registry: Registry,
) -> None:
    after = run("ALTER Object thing__c (RENAME Field note__c TO memo__c);", registry)
    assert "memo__c" in after.objects["thing__c"].fields
    rule = after.components["Integrationrule", "rule__c"]
    assert rule.children[0].text("target_object_field") == "Field.memo__c"
    assert rule.children[1].text("target_field_lookup") == "memo__c"
    assert list(after.object_types["thing__c", "special__c"].fields) == ["memo__c"]
    states = after.lifecycles["life__c"].states
    assert states["new__c"].user_actions[0].prompts == ("memo__c",)
    assert states["old__c"].entry_actions[0].parameters == {
        "field": ("memo__c",),
        "value": ("note__c",),
    }
    assert [c.criteria for c in states["old__c"].entry_criteria] == [
        "memo__c != null",
        "size__c = 'big__c' AND memo__c != 'note__c'",
    ]
    condition = states["old__c"].entry_criteria[0].condition
    assert condition == "size__c = 'big__c' OR memo__c = null"


def test_a_field_named_in_a_shared_lifecycle_cannot_be_renamed(
    registry: Registry,
) -> None:
    shared = run(
        "CREATE Object twin__c (label('T'), lifecycle('Objectlifecycle.life__c'), Field size__c (label('S'),"
        " type('Picklist'), picklist('Picklist.size__c')), Field note__c (label('N'), type('String')));",
        registry,
    )
    error = refused("ALTER Object thing__c (RENAME Field note__c TO memo__c);", shared)
    assert "prompts" in error.message


def test_a_renamed_state_is_renamed_in_its_lifecycle_and_elsewhere(
    registry: Registry,
) -> None:
    after = run(
        "ALTER Objectlifecycle life__c (RENAME Objectlifecyclestate old__c TO done__c,"
        " RENAME Objectlifecyclestate new__c TO fresh__c);",
        registry,
    )
    lifecycle = after.lifecycles["life__c"]
    assert (lifecycle.starting_state, list(lifecycle.states)) == (
        "fresh__c",
        ["fresh__c", "done__c"],
    )
    assert lifecycle.states["fresh__c"].user_actions[0].next_state == "done__c"
    assert [action.name for action in lifecycle.states["done__c"].entry_actions] == [
        "mark__c"
    ]
    assert "life__c.done__c" in after.components["Pagelayout", "page__c"].text(
        "page_markup"
    )


def test_a_renamed_type_stays_the_default(registry: Registry) -> None:
    after = run("RENAME Objecttype thing__c.special__c TO thing__c.other__c;", registry)
    assert after.objects["thing__c"].default_type == "other__c"


def test_a_renamed_picklist_and_lifecycle_are_followed(registry: Registry) -> None:
    after = run(
        "RENAME Picklist size__c TO width__c; RENAME Objectlifecycle life__c TO way__c;",
        registry,
    )
    thing = after.objects["thing__c"]
    assert (thing.fields["size__c"].picklist, thing.lifecycle) == ("width__c", "way__c")
    assert "Objectlifecyclestate.way__c.old__c" in after.components[
        "Pagelayout", "page__c"
    ].text("page_markup")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("RENAME Picklist size__c TO size__v;", Code.INVALID_NAME),
        ("RENAME Picklist size__c TO size__sys;", Code.INVALID_NAME),
        ("RENAME Object thing__c TO part__c;", Code.EXISTS),
        (
            "RENAME Objecttype thing__c.special__c TO part__c.special__c;",
            Code.INVALID_NAME,
        ),
        ("RENAME Integrationrule other__c TO more__c;", Code.NOT_FOUND),
        (
            "ALTER Picklist size__c (RENAME Picklistentry small__v TO tiny__c);",
            Code.NOT_SUPPORTED,
        ),
        (
            "ALTER Picklist size__c (RENAME Picklistentry big__c TO big__v);",
            Code.INVALID_NAME,
        ),
        (
            "CREATE Picklist s__v (label('S')); RENAME Picklist s__v TO s__c;",
            Code.NOT_SUPPORTED,
        ),
        (
            "CREATE Queue q__c (label('Q'), type('inbound')); RENAME Queue q__c TO r__c;",
            Code.NOT_SUPPORTED,
        ),
        (
            "CREATE Picklist s__sys (label('S')); DROP Picklist s__sys;",
            Code.NOT_SUPPORTED,
        ),
        ("ALTER Object thing__c (DROP Field note__c);", Code.BROKEN_REFERENCE),
    ],
)
def test_what_cannot_be_renamed_or_dropped(
    registry: Registry, text: str, code: Code
) -> None:
    assert refused(text, registry).code is code


@pytest.mark.parametrize(
    ("criterion", "message"),
    [
        ("criteria('nothing__c = 1')", "nothing__c"),
        ("criteria('note__c =')", "line 1"),
        ("required_field('nothing__c')", "nothing__c"),
        ("required_field('note__c'), condition('nothing__c = 1')", "nothing__c"),
        ("required_field('note__c'), condition('note__c =')", "line 1"),
        ("condition('note__c = null')", "either"),
        ("criteria('note__c = null'), required_field('note__c')", "either"),
        ("message('Why not')", "either"),
    ],
)
def test_entry_criteria_are_vql_on_every_object_of_the_lifecycle(
    registry: Registry, criterion: str, message: str
) -> None:
    text = (
        "ALTER Objectlifecycle life__c (MODIFY Objectlifecyclestate old__c ("
        f"ADD Objectlifecyclestateentrycriterion c__c ({criterion})));"
    )
    error = refused(text, registry)
    assert message in error.message
    assert "c__c" in error.message


def test_criteria_say_what_is_missing(registry: Registry) -> None:
    noted, big = registry.lifecycles["life__c"].states["old__c"].entry_criteria
    assert noted.condition == "size__c = 'big__c' OR note__c = null"
    # The field's label is read when a record lacks it.
    assert (noted.message, noted.required_field) == ("", "note__c")
    assert (big.message, big.required_field) == (
        "Entry criterion [big__c] is not met",
        None,
    )


def test_a_vault_has_so_many_custom_objects_each_with_a_prefix_of_its_own() -> None:
    objects = [
        Component("Object", f"o{number}__c", {"label": ("O",)})
        for number in range(MAX_CUSTOM_OBJECTS + 1)
    ]
    full = Registry.build(objects[:-1])
    assert (
        len({vault_object.prefix for vault_object in full.objects.values()})
        == MAX_CUSTOM_OBJECTS
    )
    with pytest.raises(ComponentError) as caught:
        full.with_component(objects[-1])
    assert caught.value.code is Code.LIMIT


def test_ddl_of_a_renamed_object_and_field() -> None:
    context = "CREATE Object b__c (label('B'), prefix('V0B'));"
    old = object_of(
        "Field name__v (system_managed_name(true)), Field b__c (label('B'), type('Object'), object('Object.b__c')),"
        " Field key__c (label('K'), type('String'), unique(true))",
        context=context,
    )
    assert rename_table(old, "z__c") == (
        'ALTER TABLE records."a__c" RENAME TO "z__c"',
        "UPDATE platform.record_count SET object = 'z__c' WHERE object = 'a__c'",
        'ALTER SEQUENCE records."a__c_name_seq" RENAME TO "z__c_name_seq"',
        'ALTER INDEX IF EXISTS records."a__c_text_words" RENAME TO "z__c_text_words"',
        'ALTER INDEX records."a__c_b__c_idx" RENAME TO "z__c_b__c_idx"',
        'ALTER TABLE records."z__c" RENAME CONSTRAINT "a__c_b__c_fkey" TO "z__c_b__c_fkey"',
        'ALTER INDEX records."a__c_key__c_key" RENAME TO "z__c_key__c_key"',
    )
    assert rename_column(old, old.fields["key__c"], "code__c") == (
        'DROP INDEX IF EXISTS records."a__c_text_words"',
        'ALTER TABLE records."a__c" RENAME COLUMN "key__c" TO "code__c"',
        'ALTER INDEX records."a__c_key__c_key" RENAME TO "a__c_code__c_key"',
    )
