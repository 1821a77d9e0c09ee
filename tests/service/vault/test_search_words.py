"""Text found by the beginnings of its words, ignoring case, accents and composition, on a real database."""

# ruff: noqa: RUF001  letters that look like others are what is tested

from __future__ import annotations

import re
import unicodedata
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.servers import PostgresServer
from shared.vault.components import schema_changes
from shared.vault.storage.database import Database
from shared.vault.storage.migrate import migrate
from shared.vault.vql import compile_query, parse
from tests.servers import fresh_database
from tests.unit.vql.examples import many
from tests.unit.vql.sample import OBJECTS, REGISTRY, readable

ZOE = "Zoë Dvořák"
NAMES = {
    "zoe": ZOE,
    "zoe decomposed": unicodedata.normalize("NFD", ZOE),
    "maribel": "Maribel Quentin-O’Brien",
    "strasse": "Łukasz Großstraße",
    "istanbul": "İREM Işık",
    "greek": "ΟΔΥΣΣΕΥΣ Παπαδόπουλος",
    "japanese": "山田太郎",
    "thai": "สมชาย ใจดี",
    "full width": "Ｄｒ．Ａｎｎａ",
    "ligature": "Eﬃe Æbelø",
    "cyrillic": "Пётр Щедрин",
    "key": "CRM_0012-x7",
    "punctuation": "50% (x) \\d [a|b]* it's",
}
BIOGRAPHY = "Nobody knows."
INSERT = """
INSERT INTO records.account__v (id, global_id__sys, link__sys, name__v, status__v, npi__v, biography__v, languages__v,
    created_by__v, created_date__v, modified_by__v, modified_date__v)
SELECT 'ACC' || n, 'G' || n,
    (ARRAY['20202_V4A0001', '20202_V4A0002', '9_X12', 'Other.20202_V4A0001', 'é_1'])[n],
    name, 'active__v', 'N' || n, $2, ARRAY['fr__v'], 1, now(), 1, now()
FROM unnest($1::text[]) WITH ORDINALITY AS each (name, n)
"""


@pytest.fixture(scope="module")
async def database(postgres_server: PostgresServer) -> AsyncIterator[Database]:
    """The sample objects as tables, with an account of each name."""
    async with fresh_database(postgres_server) as dsn:
        database = Database(dsn)
        await database.open()
        await migrate(database)
        async with database.connection() as connection:
            for each in OBJECTS.values():
                for statement in schema_changes.plan(None, each).statements:
                    await connection.execute(statement)
            await connection.execute(INSERT, list(NAMES.values()), BIOGRAPHY)
        yield database
        await database.close()


async def found(database: Database, clause: str, *, indexed: bool = True) -> set[str]:
    """The keys of the names that a statement finds, by the search index or by reading every record."""
    text = f"SELECT name__v FROM account__v {clause}"
    query = compile_query(parse(text), REGISTRY, readable)
    sql, parameters = query.page()
    async with database.transaction() as connection:
        scan = "seqscan" if indexed else "bitmapscan"
        await connection.execute(f"SET LOCAL enable_{scan} = off")
        if indexed:
            await connection.execute("SET LOCAL enable_indexscan = off")
        rows = await connection.fetch(sql, *parameters)
        plan = await connection.fetch(f"EXPLAIN {sql}", *parameters)
    used = any("account__v_text_words" in row[0] for row in plan)
    assert used is indexed, "\n".join(row[0] for row in plan)
    keys = {name: key for key, name in NAMES.items()}
    return {keys[row["name__v"]] for row in rows}


BOTH = {"zoe", "zoe decomposed"}
TERMS = [
    ("'zoe'", BOTH),
    ("'ZOË'", BOTH),
    ("'Zoe\u0308'", BOTH),
    ("'dvorak zo'", BOTH),
    ("'dvo zoe'", BOTH),
    ("'\"zoe dvorak\"'", BOTH),
    ("'\"zoe dvo\"'", set()),
    ("'Maribel Quent'", {"maribel"}),
    ("'quentin-o'", {"maribel"}),
    (r"'o\'brien'", {"maribel"}),
    ("'aribel'", set()),
    ("'lukasz grossstrasse'", {"strasse"}),
    ("'Großs'", {"strasse"}),
    ("'irem'", {"istanbul"}),
    ("'isik'", {"istanbul"}),
    ("'οδυσ'", {"greek"}),
    ("'Οδυσσεύς παπα'", {"greek"}),
    ("'太郎'", {"japanese"}),
    ("'山田'", {"japanese"}),
    ("'郎'", {"japanese"}),
    ("'田郎'", set()),
    ("'ใจ'", {"thai"}),
    ("'dr.anna'", {"full width"}),
    ("'effie aebelo'", {"ligature"}),
    ("'петр'", {"cyrillic"}),
    ("'crm_0012-x7'", {"key"}),
    ("'crm*'", {"key"}),
    ("'c*12'", {"key"}),
    ("'c*1'", set()),
    ("'c*12-x*'", {"key"}),
    ("'it' AND 'x'", {"punctuation"}),
    (r"'50\%'", {"punctuation"}),
    (r"'\\d'", {"punctuation"}),
    ("'zoe' AND NOT 'dvorak'", set()),
    ("'zoe' OR 'petr' OR 'petr' OR 'maribel'", {*BOTH, "maribel"}),
    ("'nobody' SCOPE name__v", set()),
    ("'zoe' SCOPE name__v, biography__v", BOTH),
    ("'nobody zoe'", BOTH),
    ("'french'", set(NAMES)),
    ("'french dvorak'", BOTH),
    ("'act pet'", set()),
    ("'20202_v4a0001'", {"zoe", "strasse"}),
    ("'20202_V4A0001 dvorak'", {"zoe"}),
    ("'20202_v4a*'", {*BOTH, "strasse"}),
    ("'20202_v4a0002*'", {"zoe decomposed"}),
    ("'20202_v4a000* dvorak'", BOTH),
    ("'20202_v4a00011*'", set()),
    ("'20202'", {*BOTH, "strasse"}),
    ("'20202_'", set()),
    ("'2020*'", {*BOTH, "strasse"}),
    ("'9_x12'", {"maribel"}),
    ("'9_x1*'", {"maribel"}),
    ("'9_x*'", {"maribel"}),
    ("'other.2*'", {"strasse"}),
    ("'E_1'", {"istanbul"}),
]


@pytest.mark.parametrize("indexed", [True, False], ids=["by index", "by reading"])
@pytest.mark.parametrize(("term", "keys"), TERMS, ids=[term for term, _ in TERMS])
async def test_find(
    database: Database, term: str, keys: set[str], *, indexed: bool
) -> None:
    assert await found(database, f"FIND ({term})", indexed=indexed) == keys


@pytest.mark.parametrize(
    ("phrase", "keys"),
    [
        ("NOT 'zoe'", set(NAMES) - BOTH),
        ("'zoe' OR '-'", {*BOTH, "key", "maribel"}),
        ("'x7' AND '-'", {"key"}),
        ("NOT 'nobody'", set()),
    ],
)
async def test_what_is_without_words_is_found_by_reading(
    database: Database, phrase: str, keys: set[str]
) -> None:
    assert await found(database, f"FIND ({phrase})", indexed=False) == keys


@pytest.mark.parametrize("indexed", [True, False], ids=["by index", "by reading"])
@pytest.mark.parametrize(
    ("condition", "keys"),
    [
        ("CASEINSENSITIVE(name__v) = 'zoë dvořák'", BOTH),
        ("CASEINSENSITIVE(name__v) = 'ZOE\u0308 DVOŘÁK'", BOTH),
        ("CASEINSENSITIVE(name__v) = 'zoe dvorak'", set()),
        ("CASEINSENSITIVE(name__v) LIKE 'ZOË%'", BOTH),
        ("CASEINSENSITIVE(name__v) = 'οδυσσευσ παπαδόπουλοσ'", set()),
        ("CASEINSENSITIVE(name__v) = 'οδυσσευς παπαδόπουλος'", {"greek"}),
        ("name__v LIKE 'Zo%'", BOTH),
        ("name__v LIKE 'Zoë%'", BOTH),
        ("name__v LIKE 'zo%'", set()),
        ("name__v LIKE 'Maribel Qu%n-%'", {"maribel"}),
        ("name__v LIKE 'CRM%'", {"key"}),
        (r"name__v LIKE '50\%%'", {"punctuation"}),
        ("link__sys LIKE '20202_V4A0%'", BOTH),
        ("link__sys LIKE '20202_V4A0002%'", {"zoe decomposed"}),
        ("CASEINSENSITIVE(link__sys) = '20202_v4a0001'", {"zoe"}),
        ("CASEINSENSITIVE(link__sys) LIKE '9_x12%'", {"maribel"}),
    ],
)
async def test_conditions(
    database: Database, condition: str, keys: set[str], *, indexed: bool
) -> None:
    assert await found(database, f"WHERE {condition}", indexed=indexed) == keys


@pytest.mark.parametrize(
    ("condition", "keys"),
    [
        (f"name__v = '{ZOE}'", BOTH),
        (f"name__v = '{NAMES['zoe decomposed']}'", BOTH),
        (f"name__v CONTAINS ('{ZOE}', 'x')", BOTH),
        (f"name__v != '{ZOE}'", set(NAMES) - BOTH),
        ("name__v = 'Zoe Dvorak'", set()),
    ],
)
async def test_composition_makes_no_other_text(
    database: Database, condition: str, keys: set[str]
) -> None:
    assert await found(database, f"WHERE {condition}", indexed=False) == keys


async def test_keys_are_matched_to_the_last_byte(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(
            "UPDATE records.account__v SET npi__v = $1 WHERE id = 'ACC1'", "e\u0301"
        )
    for key, keys in [("é", set()), ("e", set()), ("e\u0301", {"zoe"})]:
        clause = f"WHERE npi__v = '{key}'"
        assert await found(database, clause, indexed=False) == keys


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("x" * 3000 + " middle " + "y" * 1500, "x" * 240),
        ("Ω" * 3000 + " middle " + "y" * 1500, "ω" * 240),
        ("山" * 3000 + "田" + " middle", "山" * 20 + "田"),
        (" ".join(f"word{number}" for number in range(20_000)), "word19999"),
        ("é" * 410_000 + " last", "last"),
        ("\x01\x02 tab\tnew\nline \x7f", "line"),
    ],
    ids=["long words", "long Greek", "no spaces", "many words", "longest", "controls"],
)
async def test_long_texts(database: Database, text: str, term: str) -> None:
    clause = f"FIND ('{term}' SCOPE biography__v)"
    await _write(database, text)
    try:
        assert await found(database, clause) == {"maribel"}
    finally:
        await _write(database, BIOGRAPHY)


async def _write(database: Database, biography: str) -> None:
    async with database.transaction() as connection:
        await connection.execute(
            "UPDATE records.account__v SET biography__v = $1 WHERE id = 'ACC3'",
            biography,
        )


LETTERS = st.characters(
    categories=["Lu", "Ll", "Lt", "Lo", "Nd"], max_codepoint=0x2FFFF
)
PUNCTUATION = st.sampled_from(" -'’.,()&/\u00a0")
NAME = st.lists(
    st.one_of(LETTERS, LETTERS, LETTERS, PUNCTUATION), min_size=2, max_size=20
).map("".join)
MATCHES = """
SELECT platform.folded($1) COLLATE "und-x-icu" ~ platform.search_pattern($2),
    platform.search_words(ARRAY[$1], NULL) @@ platform.search_query($3, false)
"""
CHANGES: tuple[Callable[[str], str], ...] = (
    str,
    str.upper,
    str.lower,
    lambda text: unicodedata.normalize("NFC", text),
    lambda text: unicodedata.normalize("NFD", text),
)


@many
@given(NAME, st.data())
async def test_any_name_is_found_by_the_beginnings_of_its_words(
    database: Database, name: str, data: st.DataObject
) -> None:
    for word in re.findall(r"\w+", name):
        beginning = word[: data.draw(st.integers(1, len(word)))]
        async with database.connection() as connection:
            row = await connection.fetchrow(MATCHES, name, [beginning, ""], beginning)
        assert row is not None
        assert tuple(row) == (True, True)


ANY_TEXT = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    min_size=1,
    max_size=30,
)
LATIN = st.text(
    st.characters(categories=["Lu", "Ll"], max_codepoint=0x17F), min_size=1, max_size=10
)


@many
@given(st.lists(LATIN, min_size=1, max_size=4), st.sampled_from(CHANGES))
async def test_case_accents_and_composition_do_not_matter(
    database: Database, words: list[str], change: Callable[[str], str]
) -> None:
    name = " ".join(words)
    async with database.connection() as connection:
        for word in words:
            typed = change(word[: max(1, len(word) // 2)])
            row = await connection.fetchrow(MATCHES, name, [typed, ""], typed)
            assert row is not None
            assert tuple(row) == (True, True), (name, typed)


@many
@given(ANY_TEXT)
async def test_no_character_is_an_operator(database: Database, text: str) -> None:
    async with database.connection() as connection:
        folded = await connection.fetchval("SELECT platform.folded($1)", text)
        row = await connection.fetchrow(MATCHES, text, [text], text)
    assert row is not None
    # Accents alone are no word.
    assert tuple(row) == (folded != "", True)


LINK = st.from_regex(r"[0-9]{1,3}_[0-9A-Z]{1,8}", fullmatch=True)
LINK_MATCHES = """
SELECT words @@ platform.search_query($2, false), words @@ platform.search_query($1, true)
FROM platform.search_words(ARRAY[platform.searched_link($1)], NULL) AS words
"""


@many
@given(LINK, st.data())
async def test_any_link_is_found_by_its_beginnings(
    database: Database, link: str, data: st.DataObject
) -> None:
    beginning = link[: data.draw(st.integers(1, len(link)))].lower()
    async with database.connection() as connection:
        row = await connection.fetchrow(LINK_MATCHES, link, beginning)
    assert row is not None
    assert tuple(row) == (True, True)


async def test_words_are_the_same_by_characters_and_by_expression(
    database: Database,
) -> None:
    async with database.connection() as connection:
        rows = await connection.fetch(
            """
            WITH texts AS (
                SELECT chr(one) || 'Ab' || chr(other) || 'c1_ d' || chr(other) || chr(one) AS content
                FROM generate_series(1, 300) AS one, unnest(ARRAY[32, 46, 63, 64, 233, 775, 12354]) AS other
            )
            SELECT content FROM texts WHERE platform.search_words(ARRAY[content], NULL)
                <> array_to_tsvector(array_remove(platform.words_of(platform.folded(content)), ''))
                AND NOT platform.runs_on(content)
            """
        )
    assert [row["content"] for row in rows] == []
