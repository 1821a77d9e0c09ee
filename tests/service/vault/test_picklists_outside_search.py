"""Searches find the values of picklists that the search index leaves out, as they find those of others."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.polling import answers_within
from shared.vault import vql
from shared.vault.access.caller import SYSTEM
from shared.vault.access.permissions import readable
from shared.vault.assembly.vault import Vault
from shared.vault.configuration import order_indexes
from shared.vault.vql.word_index import matching_values
from tests.service.vault import module_vault
from tests.service.vault.served import Api
from tests.unit.vql.examples import many

vault, api = module_vault.vault, module_vault.api
admin, integration = module_vault.admin, module_vault.integration

VALUES = {
    "on_its_way__c": "On Its Way",
    "arrived__c": "Eingetroffen in Zürich",
    "lost__c": "Verloren, ohne Großbrief",
}
ENTRIES = ", ".join(
    f"Picklistentry {name} (label('{label}'))" for name, label in VALUES.items()
)
OBJECT = """CREATE Object {name} (label('Letter'), label_plural('Letters'), prefix('{prefix}'),
    Field note__c (label('Note'), type('String'), max_length(100)),
    Field fate__c (label('Fate'), type('Picklist'), picklist('Picklist.fate__c'), search({search})));"""
LEFT_OUT, IN_INDEX = "letter__c", "postcard__c"
NOTES = ("way to Zoe", "arrived", "gross", "7th", "")
LETTERS = [
    {"name__v": f"{note or 'none'} {value}", "note__c": note, "fate__c": value}
    for note in NOTES
    for value in (*VALUES, None)
]
TERMS = (
    "'way'",
    "'on its'",
    "'its zoe'",
    "'arri'",
    "'zurich'",
    "'ZÜRICH ein'",
    "'gross'",
    "'großbr'",
    "'lost__c'",
    "'lo'",
    "'y'",
    "'w*y'",
    "'in Zü' AND 'arr'",
    "'way' OR 'lost'",
    "'way' AND NOT 'its'",
    "'7th'",
    "'nowhere'",
    "'-'",
)


@pytest.fixture(scope="module", autouse=True)
async def letters(admin: Api) -> None:
    await execute(admin, f"CREATE Picklist fate__c (label('Fate'), {ENTRIES});")
    for name, prefix, search in ((LEFT_OUT, "LTA", "false"), (IN_INDEX, "LTB", "true")):
        await execute(admin, OBJECT.format(name=name, prefix=prefix, search=search))
        await admin.post(f"/vobjects/{name}", json=LETTERS)


async def execute(admin: Api, mdl: str) -> None:
    answer = await admin.post("/api/mdl/execute", data=mdl)
    assert answer.status == "SUCCESS", answer.text


async def found(integration: Api, name: str, term: str) -> list[str]:
    text = f"SELECT name__v FROM {name} FIND ({term}) ORDER BY name__v"
    answer = await integration.query(text)
    return [row["name__v"] for row in answer.data]


async def test_they_are_found_as_if_they_were_in_the_index(integration: Api) -> None:
    for term in TERMS:
        expected = await found(integration, IN_INDEX, term)
        assert await found(integration, LEFT_OUT, term) == expected, term


async def test_the_index_has_no_words_of_them(vault: Vault) -> None:
    statement = "SELECT indexdef FROM pg_indexes WHERE indexname = $1"
    async with vault.database.connection() as connection:
        without = await connection.fetchval(statement, f"{LEFT_OUT}_text_words")
        others = await connection.fetchval(statement, f"{IN_INDEX}_text_words")
    assert "fate__c" not in without
    assert "fate__c" in others


async def test_a_search_for_a_value_among_many_records_gets_an_index(
    vault: Vault, integration: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_indexes, "MANY_RECORDS", len(LETTERS))
    await found(integration, LEFT_OUT, "'7th'")
    await found(integration, LEFT_OUT, "'zurich'")

    async def built() -> str | None:
        async with vault.database.connection() as connection:
            rows = await connection.fetch(
                "SELECT indexdef FROM pg_indexes WHERE tablename = $1 AND indexname ~ '_asc$'",
                LEFT_OUT,
            )
        columns = [row["indexdef"].rpartition(" btree ")[2] for row in rows]
        return None if columns == ["(fate__c, id)"] else str(columns)

    assert await answers_within(60, built) is None
    text = f"SELECT id FROM {LEFT_OUT} FIND ('zurich')"
    registry = vault.components.registry
    query = vql.compile_query(vql.parse(text), registry, readable(SYSTEM))
    sql, parameters = query.page()
    async with vault.database.transaction() as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")
        await connection.execute("SET LOCAL enable_indexscan = off")
        rows = await connection.fetch(f"EXPLAIN {sql}", *parameters)
    plan = "\n".join(row[0] for row in rows)
    assert "BitmapOr" in plan, plan


@pytest.mark.parametrize(
    ("attributes", "field_type"),
    [
        ("type('String'), max_length(10)", "a text"),
        (
            "type('Picklist'), picklist('Picklist.fate__c'), multi_value(true)",
            "several values",
        ),
    ],
)
async def test_only_picklists_of_one_value_can_be_left_out(
    admin: Api, attributes: str, field_type: str
) -> None:
    mdl = f"ALTER Object {LEFT_OUT} (ADD Field no__c (label('No'), {attributes}, search(false)));"
    answer = await admin.post("/api/mdl/execute", data=mdl)
    assert "search(false) is for picklists of one value" in answer.text, field_type


LABEL = st.text(
    st.characters(
        exclude_characters="\0", exclude_categories=["Cs"], max_codepoint=0x2FFF
    ),
    min_size=1,
    max_size=12,
)
MATCHES = (
    "SELECT array_to_tsvector(ARRAY['=some__c']) @@ platform.search_query($1, $2, $3)"
)


@many
@given(LABEL, st.data())
async def test_no_value_is_left_out_that_the_words_would_find(
    vault: Vault, label: str, data: st.DataObject
) -> None:
    part = st.builds(
        lambda one, other: label[min(one, other) : max(one, other)],
        st.integers(0, len(label)),
        st.integers(0, len(label)),
    )
    typed = data.draw(st.one_of(part, LABEL))
    searched = data.draw(st.sampled_from([typed, typed.upper(), typed.lower()]))
    labels = {"some__c": label}
    whole = data.draw(st.booleans())
    async with vault.database.connection() as connection:
        text = json.dumps(labels)
        by_words = await connection.fetchval(MATCHES, searched, whole, text)
        # Without a word there is no index to search by.
        words = await connection.fetchval(
            "SELECT array_remove(platform.words_of(platform.folded($1)), '')", searched
        )
    if by_words and words:
        assert matching_values(searched, labels) == ["some__c"]
