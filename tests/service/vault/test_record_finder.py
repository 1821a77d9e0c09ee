"""Names by the beginnings of their words: through FIND, through a list on the pages, and for a field to choose in."""

# ruff: noqa: RUF001  letters that look like others are what is tested

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest

from shared.vault.access.caller import SYSTEM, PermissionSet, SecurityProfile
from shared.vault.access.permissions import Operation
from shared.vault.assembly.vault import Vault
from shared.vault.errors import VaultFault
from shared.vault.queries import record_finder
from tests.service.vault.browsing import browser
from tests.service.vault.served import Api

MDL = """
CREATE Object seeker__c (label('Seeker'), label_plural('Seekers'), prefix('SKR'), Field link__sys (unique(true)),
    Field key__c (label('Key'), type('String'), max_length(100), unique(true)));
CREATE Object abode__c (label('Abode'), label_plural('Abodes'), prefix('ABD'),
    Field city__c (label('City'), type('String'), max_length(100)),
    Field seeker__c (label('Seeker'), type('Object'), object('Object.seeker__c'), relationship_type('parent'),
        relationship_inbound_name('abodes__cr')));
"""
ZOE = "Zoë Dvořák"
CITIES = {
    ZOE: "Zlín",
    unicodedata.normalize("NFD", "Zoë Dvořáková"): "Saint-Étienne",
    "Maribel Quentin O’Brien": "London",
    "Anna Maribel": "Zlín",
    "Łukasz Großmann": "",
    "山田太郎": "東京都",
    "Zoe Zoëlle AND Sons (Zoo)": "",
}
NAMES = list(CITIES)
TERMS = {
    "zoe dvo": NAMES[:2],
    "DVOŘÁK ZO": NAMES[:2],
    "dvorakova": [NAMES[1]],
    "Maribel Quent": [NAMES[2]],
    "quent mari": [NAMES[2]],
    "maribel": [NAMES[3], NAMES[2]],
    "lukasz gross": [NAMES[4]],
    "太郎": [NAMES[5]],
    "aribel": [],
    "zoelle and so": [NAMES[6]],
}


@pytest.fixture(scope="module")
async def seekers(admin: Api, user: Api) -> dict[str, str]:
    """The records of the names: id by name."""
    answer = await admin.post("/api/mdl/execute", data=MDL)
    assert answer.status == "SUCCESS", answer.text
    rows = [
        {
            "name__v": name,
            "key__c": f"SEEK-{number:03}",
            "link__sys": f"20202_V4A00000{number:04}",
        }
        for number, name in enumerate(NAMES)
    ]
    ids = (await admin.post("/vobjects/seeker__c", json=rows)).ids
    homes = [
        {"name__v": "home", "city__c": city, "seeker__c": identifier}
        for identifier, city in zip(ids, CITIES.values(), strict=True)
    ]
    assert len((await user.post("/vobjects/abode__c", json=homes)).ids) == len(NAMES)
    return dict(zip(NAMES, ids, strict=True))


@pytest.mark.parametrize(("term", "names"), TERMS.items(), ids=TERMS)
async def test_a_name_is_found_through_each_door(
    vault: Vault, user: Api, seekers: dict[str, str], term: str, names: list[str]
) -> None:
    words = " ".join(f"{word}*" for word in term.split())
    for phrase in (term.lower(), words):
        answer = await user.query(
            f"SELECT name__v FROM seeker__c FIND ('{phrase}' SCOPE name__v)"
        )
        assert {row["name__v"] for row in answer.data} >= set(names), answer.text
    async with browser(user.url, "user") as visitor:
        page = await visitor.press(
            await visitor.open("/ui/objects/seeker__c"), "Search", q=term
        )
        shown = [name for name in NAMES if name in page.text]
    found = await vault.finder.find(SYSTEM, "seeker__c", term)
    assert sorted(shown) == sorted(names)
    assert sorted(each.name for each in found) == sorted(names)
    assert [each.id for each in found] == [seekers[each.name] for each in found]


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("seek-002", [NAMES[2]]),
        ("SEEK 003", [NAMES[3]]),
        ("zlin", [NAMES[3], ZOE]),
        ("zoe zlin", [ZOE]),
        ("zlin maribel", [NAMES[3]]),
        ("saint etienne zoe", [NAMES[1]]),
        ("京都", [NAMES[5]]),
        ("zo", [ZOE, NAMES[1], NAMES[6]]),
        ("active", []),
        ("maribel london zlin", []),
        ("", []),
        (" '* \0 ", []),
        ("x" * 5000, []),
        ("zoe " * 500, [ZOE, NAMES[1], NAMES[6]]),
    ],
)
async def test_what_somebody_types(
    vault: Vault, seekers: dict[str, str], typed: str, names: list[str]
) -> None:
    found = await vault.finder.find(SYSTEM, "seeker__c", typed)
    assert [each.name for each in found] == names


async def test_an_id_or_a_link_finds_its_record_and_few_are_offered(
    vault: Vault, user: Api, seekers: dict[str, str]
) -> None:
    async def names(typed: str) -> list[str]:
        found = await vault.finder.find(SYSTEM, "seeker__c", typed)
        return [each.name for each in found]

    own = seekers[ZOE].lower()
    link = "20202_v4a000000000"
    for key in (own, own.upper(), link, link.upper()):
        for typed in (key, f"zoe {key}", f"seek-000,{key} dvo", f"{key} zlin"):
            assert await names(typed) == [ZOE], typed
    assert len(await names("20202_v4a00")) == len(NAMES)
    assert await names(f"maribel {own}") == await names(f"maribel {link}") == []
    where = f"SELECT id FROM abode__c WHERE seeker__c = '{seekers[ZOE]}'"
    (abode,) = (await user.query(where)).data
    assert await names(abode["id"]) == await names(f"{abode['id']} zoe") == [ZOE]
    assert len(await vault.finder.find(SYSTEM, "seeker__c", "z", limit=2)) == 2
    assert await vault.finder.find(SYSTEM, "seeker__c", "z", limit=0) == []


async def test_records_are_found_by_indexes_alone(
    vault: Vault, seekers: dict[str, str]
) -> None:
    objects = vault.components.registry.objects
    owner, parts = objects["seeker__c"], [(objects["abode__c"], "seeker__c")]
    for sql, typed in (
        (record_finder.own_sql(owner), ("zoe", 5)),
        (record_finder.candidates_sql(owner, parts), ("zoe",)),
    ):
        async with vault.database.transaction() as connection:
            await connection.execute("SET LOCAL enable_seqscan = off")
            plan = await connection.fetch(f"EXPLAIN {sql}", *typed)
        assert not any("Seq Scan" in row[0] for row in plan)


async def test_only_what_the_caller_may_read_is_found(
    vault: Vault, seekers: dict[str, str]
) -> None:
    def may_read(*objects: str) -> SecurityProfile:
        operations = {name: frozenset({Operation.READ}) for name in objects}
        return SecurityProfile("seeking__c", (PermissionSet(objects=operations),))

    nobody = replace(SYSTEM, profile=may_read())
    with pytest.raises(VaultFault, match="privileges"):
        await vault.finder.find(nobody, "seeker__c", "zoe")
    with pytest.raises(VaultFault, match="no object"):
        await vault.finder.find(SYSTEM, "seeker__x", "zoe")
    own = replace(SYSTEM, profile=may_read("seeker__c"))
    assert await vault.finder.find(own, "seeker__c", "zlin") == []
    assert len(await vault.finder.find(own, "seeker__c", "zoe dvo")) == 2


async def test_names_are_found_while_the_index_is_missing(
    vault: Vault, seekers: dict[str, str]
) -> None:
    await vault.search_indexes.stop()
    async with vault.database.connection() as connection:
        await connection.execute("DROP INDEX records.seeker__c_text_words")
    try:
        for typed, names in {**TERMS, "seek-002": [], "zoe zlin": []}.items():
            found = await vault.finder.find(SYSTEM, "seeker__c", typed)
            assert sorted(each.name for each in found) == sorted(names)
    finally:
        await vault.search_indexes.build_missing()
        await vault.search_indexes.start()
    assert await vault.finder.find(SYSTEM, "seeker__c", "zoe zlin")


async def test_one_search_finds_records_of_all_objects_that_one_may_read(
    user: Api, seekers: dict[str, str]
) -> None:
    async with browser(user.url, "user") as visitor:
        page = await visitor.press(await visitor.open("/ui/"), "Find", q="maribel que")
        # Back and a reload find the same; the address names nobody.
        assert "maribel" not in str(page.url).lower()
        page = await visitor.open(str(page.url))
        assert page.links[NAMES[2]] == f"/ui/objects/seeker__c/{seekers[NAMES[2]]}"
        assert "Seekers" in page.text and "SEEK-002" in page.text
        for typed in (seekers[ZOE], "seek-000", "zoe dvo", "20202_V4A000000000"):
            found = await visitor.press(page, "Find", q=typed)
            assert found.links[ZOE].endswith(seekers[ZOE]), typed
        # Of many there are some, and the list of the others.
        found = await visitor.press(page, "Find", q="seek")
        assert sum("/seeker__c/" in path for path in found.links.values()) == 5
        assert "1 to 7 of 7" in (await visitor.click(found, "More Seekers")).text
        for typed in (
            "integration",
            "nothing of this kind",
            "\x00",
            "' OR 1",
            "(",
            "*",
        ):
            found = await visitor.press(page, "Find", q=typed)
            assert found.status == 200
            # Users are no business of a business user.
            assert not [path for path in found.links.values() if "user__sys" in path]
        async with browser(user.url, "admin") as other:
            theirs = await other.open(str(page.url))
            assert "another user" in theirs.text and NAMES[2] not in theirs.links


async def test_a_search_that_takes_too_long_shows_what_was_found(
    vault: Vault, seekers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["seeker__c", "abode__c"]
    found = await vault.finder.find_everywhere(SYSTEM, names, "zoe dvo", 5)
    assert found.whole and {each.id for each in found.records["seeker__c"]} >= {
        seekers[ZOE]
    }
    monkeypatch.setattr(record_finder, "EVERYWHERE_SECONDS", 0)
    found = await vault.finder.find_everywhere(SYSTEM, names, "zoe dvo", 5)
    assert not found.whole and not found.records
