"""VQL conditions, FIND and ORDER BY through the public API: which records are found, in which order."""

from __future__ import annotations

import pytest

from shared.vault.assembly.vault import Vault
from tests.service.vault import crates as stored
from tests.service.vault.crates import CRATES, keys, upserted
from tests.service.vault.served import USERNAMES, Api

crates = stored.crates


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("due__c = TODAY", ["C-1"]),
        ("due__c != TODAY", ["C-2", "C-3"]),
        ("due__c > TODAY", ["C-3"]),
        ("due__c <= TODAY", ["C-1", "C-2"]),
        ("due__c = NEXT_DAYS:3", ["C-1", "C-3"]),
        ("due__c = DAYS_AGO:40", ["C-2"]),
        ("due__c = LAST_DAYS:40", ["C-1", "C-2"]),
        ("sent__c = LAST_DAYS:3", ["C-1"]),
        ("sent__c = DAYS_AGO:2", ["C-1"]),
        ("sent__c != LAST_DAYS:3", ["C-2", "C-3"]),
        ("sent__c >= LAST_YEARS:1", ["C-1", "C-2"]),
        (
            "created_date__v = THIS_YEAR AND created_date__v = THIS_MONTH",
            ["C-1", "C-2", "C-3"],
        ),
        ("created_date__v = LAST_MONTHS:1", []),
    ],
)
async def test_date_literals_count_from_today(
    integration: Api, condition: str, found: list[str]
) -> None:
    assert await keys(integration, f"WHERE {condition} ORDER BY key__c") == found


@pytest.mark.parametrize("role", ["admin", "integration"])
async def test_user_tokens_stand_for_the_caller(api: Api, role: str) -> None:
    caller = await api.signed_in(role)
    found = await caller.query(
        "SELECT username__sys FROM user__sys"
        " WHERE id = ${User.id} AND username__sys = ${User.name}"
    )
    assert [row["username__sys"] for row in found.data] == [USERNAMES[role]]


async def test_records_that_the_caller_created_are_found_by_a_token(
    integration: Api, admin: Api
) -> None:
    rest = "WHERE created_by__v = ${User.id} ORDER BY key__c"
    assert await keys(integration, rest) == ["C-1", "C-2", "C-3"]
    assert await keys(admin, rest) == []


@pytest.mark.parametrize("token", ["id", "name", "dns"])
async def test_vault_tokens_stand_for_the_vault(
    integration: Api, vault: Vault, token: str
) -> None:
    values = {
        "id": str(vault.vault_id),
        "name": vault.definition.label,
        "dns": vault.settings.host_name,
    }
    # A record whose key is what the token stands for, beside one with another key.
    rows: list[dict[str, object]] = [{"key__c": values[token]}, {"key__c": "no token"}]
    await upserted(integration, "parcel__c", *rows)
    text = f"SELECT key__c FROM parcel__c WHERE key__c = ${{Vault.{token}}}"
    found = (await integration.query(text)).data
    assert found == [{"key__c": values[token]}]


async def test_an_unknown_token_is_refused(admin: Api) -> None:
    text = "SELECT id FROM crate__c WHERE key__c = ${Vault.secret}"
    assert (await admin.query(text)).error == "INVALID_DATA"


@pytest.mark.parametrize(
    ("find", "found"),
    [
        ("'insulin'", {"C-1", "C-2"}),
        ("'INSUL'", {"C-1", "C-2"}),
        ("'blood sugar'", {"C-1", "C-3"}),
        ("'\"blood sugar\"'", {"C-1"}),
        ("'leaflets OR pens'", {"C-1", "C-2"}),
        ("'insulin AND NOT pens'", {"C-2"}),
        ("NOT 'insulin'", {"C-3"}),
        ("'insulin' SCOPE name__v", {"C-1"}),
        ("'insulin' SCOPE name__v OR 'blood' SCOPE text__c", {"C-1", "C-3"}),
        ("'dia*flets'", set()),
        ("'l*ts'", {"C-2"}),
        ("'cc'", {"C-3"}),
        ("'CC-123'", {"C-3"}),
        ("'(50%)' SCOPE name__v", {"C-3"}),
        (r"'50\%' SCOPE name__v", {"C-3"}),
        ("'wine'", {"C-1", "C-2"}),
        ("'sealed'", set()),
        ("'nothing'", set()),
    ],
)
async def test_find_finds_words_and_phrases(
    integration: Api, find: str, found: set[str]
) -> None:
    assert set(await keys(integration, f"FIND ({find})")) == found


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("", ["C-2", "C-1"]),
        ("ORDER BY RANK", ["C-2", "C-1"]),
        ("ORDER BY key__c", ["C-1", "C-2"]),
    ],
)
async def test_what_find_has_found_is_sorted_by_rank_or_as_asked(
    integration: Api, order: str, found: list[str]
) -> None:
    find = "FIND ('insulin' SCOPE text__c)"
    assert await keys(integration, f"{find} {order}") == found


async def test_the_answer_repeats_what_was_to_be_found(integration: Api) -> None:
    text = "SELECT key__c FROM crate__c FIND ('insulin' SCOPE text__c) WHERE key__c != null"
    details = (await integration.query(text)).body["responseDetails"]
    assert details["find"] == "('insulin' SCOPE text__c)"


@pytest.mark.parametrize(
    ("rest", "found"),
    [
        ("WHERE TOLABEL(ware__c) = 'Tea'", ["C-1"]),
        ("WHERE TOLABEL(wares__c) CONTAINS ('Red Wine', 'Milk')", ["C-1"]),
        (
            "WHERE TOLABEL(state__v) LIKE 'Packed%' ORDER BY TOLABEL(ware__c), key__c",
            ["C-2", "C-1", "C-3"],
        ),
        ("WHERE object_type__vr.api_name__v = 'cold__c'", ["C-1"]),
        (
            "WHERE state__v = STATETYPE('initial_state__sys') AND key__c = 'C-1'",
            ["C-1"],
        ),
        (
            "WHERE state__v = STATETYPE('base:object_lifecycle:initial') AND key__c = 'C-1'",
            ["C-1"],
        ),
        ("WHERE state__v != STATETYPE('initial_state__sys')", []),
        ("WHERE state__v = STATETYPE('complete_state__sys')", []),
        (
            "WHERE created_by__vr.username__sys = 'integration@vault.example' ORDER BY key__c",
            ["C-1", "C-2", "C-3"],
        ),
        ("WHERE CASEINSENSITIVE(name__v) = 'insulin PENS'", ["C-1"]),
        ("WHERE fragile__c = null", ["C-3"]),
        ("ORDER BY weight__c, key__c DESC", ["C-1", "C-3", "C-2"]),
        ("ORDER BY key__c MAXROWS 2 SKIP 1 PAGESIZE 5", ["C-2", "C-3"]),
    ],
)
async def test_conditions_choose_records_and_order_sorts_them(
    integration: Api, rest: str, found: list[str]
) -> None:
    assert await keys(integration, rest) == found


@pytest.mark.parametrize(
    ("store", "ascending"), [("raw", [None, 1, 2]), ("standard", [1, 2, None])]
)
async def test_records_without_a_value_come_last_but_in_raw_objects(
    admin: Api, store: str, ascending: list[int | None]
) -> None:
    name = f"{store}_row__c"
    mdl = f"RECREATE Object {name} ( label('Row'), prefix('Z{store[:2].upper()}'), data_store('{store}'),"
    mdl += " Field rank__c ( type('Number'), label('Rank') ) );"
    assert (await admin.post("/api/mdl/execute", data=mdl)).status == "SUCCESS"
    await admin.post(
        f"/vobjects/{name}",
        json=[{"name__v": "row", "rank__c": rank} for rank in (2, None, 1)],
    )

    async def ranks(order: str) -> list[int | None]:
        pages = [
            await admin.query(
                f"SELECT rank__c FROM {name} ORDER BY rank__c {order} PAGESIZE 2"
            )
        ]
        pages.append(await admin.get(pages[0].body["responseDetails"]["next_page"]))
        return [row["rank__c"] for page in pages for row in page.data]

    assert await ranks("ASC") == ascending
    assert await ranks("DESC") == [2, 1, None]


@pytest.mark.parametrize(("order", "reverse"), [("ASC", False), ("DESC", True)])
async def test_records_are_sorted_by_their_ids(
    integration: Api, order: str, reverse: bool
) -> None:
    found = await integration.query(f"SELECT id FROM crate__c ORDER BY id {order}")
    ids = [row["id"] for row in found.data]
    assert len(ids) == len(CRATES)
    assert ids == sorted(ids, reverse=reverse)
