"""Changes of objects become DDL, with guards where data could be lost."""

from __future__ import annotations

import pytest

from shared.vault.components.component_errors import ComponentError
from shared.vault.components.schema import drop_search_index, quote, table
from shared.vault.components.schema_changes import SchemaChange, plan
from shared.vault.model.field_types import name_sequence
from tests.unit.components.builders import object_of

CONTEXT = """
    CREATE Picklist p__c (label('P')); CREATE Picklist q__c (label('Q'));
    CREATE Object b__c (label('B'), prefix('V0B')); CREATE Object c__c (label('C'), prefix('V0C'));
    CREATE Objectlifecycle l__c (label('L'), starting_state('s__c'), Objectlifecyclestate s__c (label('S')));
"""
NAME = "Field name__v (label('Name'))"
DROP_SEARCH = 'DROP INDEX IF EXISTS records."a__c_text_words"'


def field(definition: str) -> str:
    return f"Field f__c (label('F'), {definition})"


def change(old: str, new: str) -> SchemaChange:
    return plan(object_of(old, context=CONTEXT), object_of(new, context=CONTEXT))


def test_create_has_typed_columns_keys_and_indexes() -> None:
    new = object_of(
        """Field name__v (system_managed_name(true)), Field link__sys (unique(true)),
           Field text__c (label('T'), type('String')), Field long__c (label('T'), type('LongText')),
           Field whole__c (label('T'), type('Number')), Field exact__c (label('T'), type('Number'), scale(2)),
           Field flag__c (label('T'), type('Boolean')), Field day__c (label('T'), type('Date')),
           Field time__c (label('T'), type('DateTime')),
           Field one__c (label('T'), type('Picklist'), picklist('Picklist.p__c')),
           Field many__c (label('T'), type('Picklist'), picklist('Picklist.p__c'), multi_value(true)),
           Field b__c (label('T'), type('Object'), object('Object.b__c'), relationship_deletion('setnull')),
           Field c__c (label('T'), type('Object'), object('Object.c__c'), relationship_deletion('cascade')),
           Field self__c (label('T'), type('Object'), object('Object.b__c')),
           Field file__c (label('T'), type('Attachment'))""",
        context=CONTEXT,
    )
    create, *others = plan(None, new).statements
    for part in (
        'CREATE TABLE records."a__c" (',
        '"id" text PRIMARY KEY',
        '"global_id__sys" text NOT NULL',
        '"created_by__v" bigint NOT NULL',
        '"modified_date__v" timestamptz NOT NULL',
        '"name__v" text,',
        '"text__c" text,',
        '"long__c" text,',
        '"whole__c" bigint,',
        '"exact__c" numeric,',
        '"flag__c" boolean,',
        '"day__c" date,',
        '"time__c" timestamptz,',
        '"one__c" text,',
        '"many__c" text[],',
        'FOREIGN KEY ("b__c") REFERENCES records."b__c" (id) ON DELETE SET NULL',
        'FOREIGN KEY ("c__c") REFERENCES records."c__c" (id) ON DELETE CASCADE',
        'FOREIGN KEY ("file__c") REFERENCES platform.field_file (handle) ON DELETE NO ACTION',
        'FOREIGN KEY ("self__c") REFERENCES records."b__c" (id) ON DELETE NO ACTION',
    ):
        assert part in create
    assert others == [
        'CREATE UNIQUE INDEX "a__c_link__sys_key" ON records."a__c" ("link__sys")',
        'CREATE INDEX "a__c_b__c_idx" ON records."a__c" ("b__c")',
        'CREATE INDEX "a__c_c__c_idx" ON records."a__c" ("c__c")',
        'CREATE INDEX "a__c_self__c_idx" ON records."a__c" ("self__c")',
        'CREATE INDEX "a__c_file__c_idx" ON records."a__c" ("file__c")',
        (
            'CREATE INDEX "a__c_text_words" ON records."a__c" USING gin (platform.search_words('
            'ARRAY[platform.searched_link("link__sys"), "long__c", "name__v", "text__c"],'
            ' ARRAY["one__c", "status__v"]::text[] || "many__c"))'
        ),
        (
            'CREATE TRIGGER records_added AFTER INSERT ON records."a__c" REFERENCING NEW TABLE AS changed_records'
            " FOR EACH STATEMENT EXECUTE FUNCTION platform.count_records()"
        ),
        (
            'CREATE TRIGGER records_removed AFTER DELETE ON records."a__c" REFERENCING OLD TABLE AS changed_records'
            " FOR EACH STATEMENT EXECUTE FUNCTION platform.count_records()"
        ),
        'CREATE SEQUENCE records."a__c_name_seq"',
    ]


def test_nothing_changes_without_a_difference() -> None:
    same = object_of(field("type('String')"))
    assert plan(same, same) == SchemaChange()
    assert plan(None, None) == SchemaChange()
    assert (
        change(
            field("type('String')"),
            field("type('String'), required(true), help_content('?')"),
        )
        == SchemaChange()
    )


def test_drop_needs_an_empty_table_that_nothing_refers_to() -> None:
    dropped = plan(object_of("Field name__v (system_managed_name(true))"), None)
    assert dropped.statements == (
        'DROP TABLE records."a__c"',
        "DELETE FROM platform.record_count WHERE object = 'a__c'",
        'DROP SEQUENCE records."a__c_name_seq"',
    )
    assert [guard.message for guard in dropped.guards] == [
        "Object a__c still has records.",
        "Other objects still refer to object a__c.",
    ]


def test_added_field() -> None:
    added = change(
        NAME,
        field("type('Object'), object('Object.b__c'), relationship_type('parent')"),
    )
    assert added.guards == ()
    assert added.statements == (
        'ALTER TABLE records."a__c" ADD COLUMN "f__c" text',
        (
            'ALTER TABLE records."a__c" ADD CONSTRAINT "a__c_f__c_fkey" FOREIGN KEY ("f__c") '
            'REFERENCES records."b__c" (id) ON DELETE NO ACTION'
        ),
        'CREATE INDEX "a__c_f__c_idx" ON records."a__c" ("f__c")',
    )


def test_dropped_field_must_be_empty() -> None:
    dropped = change(field("type('String')"), NAME)
    assert dropped.statements == (
        DROP_SEARCH,
        'ALTER TABLE records."a__c" DROP COLUMN "f__c"',
    )
    (guard,) = dropped.guards
    assert (
        guard.sql
        == 'SELECT EXISTS (SELECT 1 FROM records."a__c" WHERE "f__c" IS NOT NULL)'
    )
    assert "f__c" in guard.message


@pytest.mark.parametrize(
    ("old", "new", "condition"),
    [
        (
            "type('String'), max_length(50)",
            "type('String'), max_length(20)",
            'char_length("f__c") > 20',
        ),
        (
            "type('LongText')",
            "type('String'), max_length(20)",
            'char_length("f__c") > 20',
        ),
        ("type('Number'), scale(3)", "type('Number'), scale(1)", 'round("f__c", 1)'),
    ],
)
def test_narrowing_is_guarded_and_needs_no_ddl(
    old: str, new: str, condition: str
) -> None:
    narrowed = change(field(old), field(new))
    assert narrowed.statements == ()
    (guard,) = narrowed.guards
    assert condition in guard.sql


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("type('String'), max_length(50)", "type('String'), max_length(60)"),
        ("type('String')", "type('LongText')"),
        ("type('Number'), scale(1)", "type('Number'), scale(3)"),
        ("type('Number'), min_value(5)", "type('Number'), max_value(3)"),
    ],
)
def test_widening_is_free(old: str, new: str) -> None:
    assert change(field(old), field(new)) == SchemaChange()


def test_rich_text_only_changes_the_words_of_the_search_index() -> None:
    changed = change(field("type('LongText')"), field("type('RichText')"))
    assert changed == SchemaChange((drop_search_index("a__c"),))


def test_whole_numbers_become_exact_ones_and_back() -> None:
    widened = change(field("type('Number')"), field("type('Number'), scale(2)"))
    assert widened.guards == ()
    assert widened.statements == (
        'ALTER TABLE records."a__c" ALTER COLUMN "f__c" TYPE numeric USING "f__c"::numeric',
    )
    narrowed = change(field("type('Number'), scale(2)"), field("type('Number')"))
    assert len(narrowed.guards) == 2
    assert narrowed.statements[0].endswith('TYPE bigint USING "f__c"::bigint')


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("type('String')", "type('Number')"),
        ("type('Date')", "type('DateTime')"),
        ("type('String')", "type('Picklist'), picklist('Picklist.p__c')"),
        (
            "type('Picklist'), picklist('Picklist.p__c')",
            "type('Picklist'), picklist('Picklist.q__c')",
        ),
        (
            "type('Object'), object('Object.b__c')",
            "type('Object'), object('Object.c__c')",
        ),
        ("type('Object'), object('Object.b__c')", "type('String')"),
    ],
)
def test_other_types_replace_the_empty_column(old: str, new: str) -> None:
    replaced = change(field(old), field(new))
    assert replaced.guards[0].sql.endswith('WHERE "f__c" IS NOT NULL)')
    # What the search index covers goes by names, and these stay the same from one picklist to another.
    changed = [each for each in replaced.statements if each != DROP_SEARCH]
    assert changed[0] == 'ALTER TABLE records."a__c" DROP COLUMN "f__c"'
    assert changed[1].startswith('ALTER TABLE records."a__c" ADD COLUMN "f__c"')


def test_multi_value_on_and_off() -> None:
    single, multiple = (
        field(f"type('Picklist'), picklist('Picklist.p__c'), multi_value({v})")
        for v in ("false", "true")
    )
    on, off = change(single, multiple), change(multiple, single)
    assert on.guards == ()
    assert on.statements[1].endswith(
        'TYPE text[] USING CASE WHEN "f__c" IS NOT NULL THEN ARRAY["f__c"] END'
    )
    assert 'cardinality("f__c") > 1' in off.guards[0].sql
    assert off.statements[1].endswith('TYPE text USING "f__c"[1]')
    assert on.statements[0] == off.statements[0] == DROP_SEARCH


def test_a_picklist_that_is_not_searched_leaves_room_for_two_versions() -> None:
    searched, other = (
        field(f"type('Picklist'), picklist('Picklist.p__c'), search({value})")
        for value in ("true", "false")
    )
    made = plan(None, object_of(other, context=CONTEXT)).statements[0]
    assert made.endswith(") WITH (fillfactor = 50)")
    for old, new, filled in ((searched, other, 50), (other, searched, 60)):
        assert change(old, new).statements == (
            DROP_SEARCH,
            f'ALTER TABLE records."a__c" SET (fillfactor = {filled})',
        )


def test_a_unique_link_is_shortened_among_the_words() -> None:
    plain, unique = "Field link__sys (label('L'))", "Field link__sys (unique(true))"
    on, off = change(plain, unique), change(unique, plain)
    assert on.statements[0] == off.statements[0] == DROP_SEARCH
    words = plan(None, object_of(plain, context=CONTEXT)).statements[-3]
    assert '(ARRAY["link__sys", ' in words


def test_unique_on_and_off() -> None:
    plain, unique = field("type('String')"), field("type('String'), unique(true)")
    on, off = change(plain, unique), change(unique, plain)
    assert "HAVING count(*) > 1" in on.guards[0].sql
    assert on.statements == (
        'CREATE UNIQUE INDEX "a__c_f__c_key" ON records."a__c" ("f__c")',
    )
    assert off == SchemaChange(('DROP INDEX records."a__c_f__c_key"',))


def test_relationship_deletion_replaces_the_constraint() -> None:
    reference = "type('Object'), object('Object.b__c'), relationship_deletion('%s')"
    changed = change(field(reference % "block"), field(reference % "cascade"))
    assert changed.guards == ()
    assert [s.split(" ", 3)[3].split(" ")[0] for s in changed.statements] == [
        "DROP",
        "ADD",
    ]


def test_lifecycle_types_prefix_and_names() -> None:
    old = object_of(NAME, context=CONTEXT)
    lifecycled = object_of(
        NAME, attributes=", lifecycle('Objectlifecycle.l__c')", context=CONTEXT
    )
    assert [s.rsplit(" ", 2)[1] for s in plan(old, lifecycled).statements] == [
        '"lifecycle__v"',
        '"state__v"',
    ]
    assert len(plan(lifecycled, old).guards) == 2
    numbered = object_of("Field name__v (system_managed_name(true))")
    assert plan(old, numbered).statements == (
        f"CREATE SEQUENCE {name_sequence('a__c')}",
    )
    assert plan(numbered, old).statements == (f"DROP SEQUENCE {name_sequence('a__c')}",)


def test_long_names_stay_apart_within_the_limit() -> None:
    first, second = "x" * 46 + "1__c", "x" * 46 + "2__c"
    statements = plan(
        None, object_of(f"Field {first} (label('T'), type('String'), unique(true)), "
                        f"Field {second} (label('T'), type('String'), unique(true))")
    ).statements  # fmt: skip
    names = [s.split('"')[1] for s in statements if s.startswith("CREATE UNIQUE")]
    assert len(set(names)) == len(names) == 2
    assert max(map(len, names)) <= 63


@pytest.mark.parametrize("name", ['a"b', "a;b", "A", "a b", "", "a" * 64, "a'b", "a\n"])
def test_only_plain_identifiers_reach_sql(name: str) -> None:
    with pytest.raises(ComponentError):
        quote(name)
    with pytest.raises(ComponentError):
        table(name)
