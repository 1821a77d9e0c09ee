"""The contract of every RecordAccess: a Vault, records in memory, or writes that are only planned.

``ResultsContract`` is about the results of calls and applies to all of them; ``RecordsContract`` adds stored and
queried records, which planned writes do not change. Both run on the objects of the standard Medical Vault, of which
each test uses records of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import cast
from uuid import uuid4

import pytest

from services.connector.vaults.record_access import RecordAccess
from shared.client.errors import VaultRefused
from shared.client.results import SOURCE_MODIFIED, Row, RowResult

PERSON = "person__sys"
COUNTRY, DOCUMENTS = "country__v", "documents"
KEY = "external_id__v"
EARLIER, NOON, LATER = (f"2026-01-31T{hour}:00:00.000Z" for hour in (11, 12, 13))
_RUN, _NUMBERS = uuid4().hex[:8], count(1)


@dataclass(frozen=True, slots=True)
class Tried:
    """The RecordAccess under test, and the one that creates the records that it reads."""

    access: RecordAccess
    beneath: RecordAccess


def key() -> str:
    """A value that no other record has."""
    return f"K-{_RUN}-{next(_NUMBERS)}"


def person(external_id: str, **fields: object) -> Row:
    """A row that makes a Case Contact."""
    return {
        KEY: external_id,
        "name__v": "Ann Lee",
        "last_name__sys": "Lee",
        "object_type__v.api_name__v": "case_contact__v",
        **fields,
    }


def document(external_id: str, **fields: object) -> Row:
    """A row that makes a document."""
    return {
        KEY: external_id,
        "name__v": f"Document {external_id}",
        "type__v": "presentation__v",
        "lifecycle__v": "content_lifecycle__v",
        **fields,
    }


def ok(results: list[RowResult]) -> list[bool]:
    """Whether each row was accepted."""
    return [result.ok for result in results]


async def made(vault: RecordAccess, external_id: str, **fields: object) -> str:
    """The id of a new Case Contact."""
    (result,) = await vault.upsert(PERSON, [person(external_id, **fields)], KEY)
    assert result.ok, result
    return str(result.id)


async def stored(vault: RecordAccess, external_id: str, *fields: str) -> list[object]:
    """Values of the one Case Contact with this External ID."""
    names = ", ".join(("id", *fields))
    statement = f"SELECT {names} FROM {PERSON} WHERE {KEY} = '{external_id}'"
    (row,) = (await vault.query(statement)).rows
    return [row[name] for name in fields]


class ResultsContract:
    """The results of calls."""

    async def test_results_are_in_the_order_of_the_rows(self, tried: Tried) -> None:
        known, new = key(), key()
        known_id = await made(tried.beneath, known)
        rows = [person(new), person(known), person(key())]
        results = await tried.access.upsert(PERSON, rows, KEY)
        assert ok(results) == [True, True, True]
        assert results[1].id == known_id
        assert len({result.id for result in results}) == 3

    async def test_an_upsert_finds_what_an_upsert_before_it_has_made(
        self, tried: Tried
    ) -> None:
        external_id = key()
        first = await tried.access.upsert(PERSON, [person(external_id)], KEY)
        second = await tried.access.upsert(PERSON, [person(external_id)], KEY)
        assert first[0].id == second[0].id

    async def test_an_update_of_a_record_that_does_not_exist_fails_that_row_only(
        self, tried: Tried
    ) -> None:
        known = await made(tried.beneath, key())
        rows = [{"id": name, "first_name__sys": "Eva"} for name in ("V5N0", known)]
        unknown, changed = await tried.access.update(PERSON, rows)
        assert (unknown.ok, changed.ok, changed.id) == (False, True, known)
        assert [error.type for error in unknown.errors] == ["INVALID_DATA"]

    async def test_an_update_by_a_unique_field_finds_the_record_that_has_it(
        self, tried: Tried
    ) -> None:
        external_id = key()
        record = await made(tried.beneath, external_id)
        row = {KEY: external_id, "first_name__sys": "Eva"}
        (result,) = await tried.access.update(PERSON, [row], KEY)
        assert (result.ok, result.id) == (True, record)

    async def test_a_record_that_was_there_before_is_found_by_queries(
        self, tried: Tried
    ) -> None:
        external_id = key()
        await made(tried.beneath, external_id, first_name__sys="Eva")
        assert await stored(tried.access, external_id, "first_name__sys") == ["Eva"]

    async def test_a_query_that_is_no_vql_is_refused(self, tried: Tried) -> None:
        with pytest.raises(VaultRefused) as refused:
            await tried.access.query("SELECT FROM WHERE")
        assert refused.value.type == "INCORRECT_QUERY_SYNTAX_ERROR"

    async def test_a_query_of_an_unknown_field_is_refused(self, tried: Tried) -> None:
        with pytest.raises(VaultRefused):
            await tried.access.query(f"SELECT colour__v FROM {PERSON}")

    async def test_a_query_describes_its_columns_when_asked(self, tried: Tried) -> None:
        statement = f"SELECT id, last_name__sys FROM {PERSON} MAXROWS 1"
        described = (await tried.access.query(statement, describe=True)).describe
        assert described is not None
        fields = described["fields"]
        assert isinstance(fields, list)
        assert [(each["name"], each["type"]) for each in fields] == [
            ("id", "id"),
            ("last_name__sys", "String"),
        ]

    async def test_documents_are_created_in_the_order_of_the_rows(
        self, tried: Tried
    ) -> None:
        rows = [document(key()), document(key())]
        results = await tried.access.create_documents(rows, KEY)
        assert ok(results) == [True, True]
        assert results[0].id != results[1].id

    async def test_a_change_of_a_document_that_does_not_exist_fails_that_row_only(
        self, tried: Tried
    ) -> None:
        (made_one,) = await tried.beneath.create_documents([document(key())], KEY)
        known = str(made_one.id)
        rows = [{"id": each, "title__v": "New"} for each in ("999999999", known)]
        assert ok(await tried.access.update_documents(rows)) == [False, True]


class RecordsContract(ResultsContract):
    """The contract about stored records and queries."""

    async def test_an_upsert_by_key_creates_and_then_changes(
        self, tried: Tried
    ) -> None:
        external_id = key()
        await made(tried.access, external_id, first_name__sys="Eva")
        await tried.access.upsert(
            PERSON, [{KEY: external_id, "first_name__sys": "Ina"}], KEY
        )
        names = await stored(
            tried.access, external_id, "first_name__sys", "last_name__sys"
        )
        assert names == ["Ina", "Lee"]

    @pytest.mark.parametrize(
        "wrong",
        [
            pytest.param({"colour__v": "red"}, id="an unknown field"),
            pytest.param({"first_name__sys": "x" * 81}, id="a text too long"),
            pytest.param({"country__v": "V5C999999999999"}, id="a reference to none"),
            pytest.param({"country__vr.country_code__v": "ZZ"}, id="a key of none"),
            pytest.param({"status__v": "gone__v"}, id="an unknown picklist value"),
            pytest.param({"global_id__sys": "1_V"}, id="a field that the Vault sets"),
        ],
    )
    async def test_a_row_that_is_wrong_fails_alone(
        self, tried: Tried, wrong: Row
    ) -> None:
        right = key()
        rows = [person(key(), **wrong), person(right)]
        assert ok(await tried.access.upsert(PERSON, rows, KEY)) == [False, True]
        assert await stored(tried.access, right, "last_name__sys") == ["Lee"]

    async def test_a_new_record_without_a_required_field_fails_alone(
        self, tried: Tried
    ) -> None:
        (case,) = await tried.access.upsert(
            "case__v", [{"link__sys": key()}], "link__sys"
        )
        rows: list[Row] = [
            {"link__sys": key()},
            {"link__sys": key(), "case__v": case.id},
        ]
        results = await tried.access.upsert("case_request__v", rows, "link__sys")
        assert ok(results) == [False, True]

    async def test_a_unique_value_is_of_one_record(self, tried: Tried) -> None:
        veeva_id = key()
        await made(tried.access, key(), veeva_id__v=veeva_id)
        row = person(key(), veeva_id__v=veeva_id)
        (result,) = await tried.access.upsert(PERSON, [row], KEY)
        assert not result.ok

    async def test_a_key_that_is_repeated_refuses_the_call(self, tried: Tried) -> None:
        external_id = key()
        rows = [person(external_id), person(external_id)]
        with pytest.raises(VaultRefused) as refused:
            await tried.access.upsert(PERSON, rows, KEY)
        assert refused.value.type == "INVALID_DATA"

    async def test_a_reference_by_key_finds_its_record(self, tried: Tried) -> None:
        code = key()[-10:]
        country = {"country_code__v": code, "name__v": code}
        await tried.access.upsert(COUNTRY, [country], "country_code__v")
        external_id = key()
        await made(tried.access, external_id, **{"country__vr.country_code__v": code})
        path = "country__vr.country_code__v"
        assert await stored(tried.access, external_id, path) == [code]

    async def test_an_object_type_is_set_by_name_and_read_by_path(
        self, tried: Tried
    ) -> None:
        external_id = key()
        await made(tried.access, external_id)
        path = "object_type__vr.api_name__v"
        assert await stored(tried.access, external_id, path) == ["case_contact__v"]

    async def test_an_empty_text_empties_a_field(self, tried: Tried) -> None:
        external_id = key()
        record = await made(tried.access, external_id, first_name__sys="Eva")
        await tried.access.update(PERSON, [{"id": record, "first_name__sys": ""}])
        assert await stored(tried.access, external_id, "first_name__sys") == [None]

    async def test_to_one_paths_without_a_record_behind_them_are_empty(
        self, tried: Tried
    ) -> None:
        external_id = key()
        await made(tried.access, external_id)
        path = "country__vr.country_code__v"
        assert await stored(tried.access, external_id, path) == [None]

    async def test_a_sub_select_reads_related_records(self, tried: Tried) -> None:
        (case,) = await tried.access.upsert(
            "case__v", [{"link__sys": key()}], "link__sys"
        )
        links = sorted(key() for _ in range(2))
        requests = [{"link__sys": link, "case__v": case.id} for link in links]
        await tried.access.upsert("case_request__v", requests, "link__sys")
        related = "(SELECT link__sys FROM case_requests__vr WHERE link__sys != null)"
        statement = f"SELECT id, {related} FROM case__v WHERE id = '{case.id}'"
        (found,) = (await tried.access.query(statement)).rows
        data = cast("dict[str, list[Row]]", found["case_requests__vr"])["data"]
        assert sorted(str(row["link__sys"]) for row in data) == links

    async def test_a_semi_join_finds_records_with_a_related_one(
        self, tried: Tried
    ) -> None:
        family, link = key(), key()
        with_one = await made(tried.access, key(), last_name__sys=family)
        await made(tried.access, key(), last_name__sys=family)
        row = {"link__sys": link, "case_contact__v": with_one}
        await tried.access.upsert("case__v", [row], "link__sys")
        joined = f"id IN (SELECT id FROM cases__vr WHERE link__sys = '{link}')"
        statement = (
            f"SELECT id FROM {PERSON} WHERE last_name__sys = '{family}' AND {joined}"
        )
        rows = (await tried.access.query(statement)).rows
        assert [row["id"] for row in rows] == [with_one]

    async def test_contains_finds_records_with_any_of_the_values(
        self, tried: Tried
    ) -> None:
        keys = [key() for _ in range(3)]
        for each in keys:
            await made(tried.access, each)
        listed = ",".join(f"'{each}'" for each in keys[:2])
        statement = (
            f"SELECT {KEY} FROM {PERSON} WHERE {KEY} CONTAINS ({listed}) ORDER BY {KEY}"
        )
        rows = (await tried.access.query(statement)).rows
        assert [row[KEY] for row in rows] == sorted(keys[:2])

    @pytest.mark.parametrize(
        ("condition", "expected"),
        [
            ("first_name__sys = 'Ann'", ["Ann"]),
            ("first_name__sys != 'Ann'", ["Eva", "Ina"]),
            ("first_name__sys = 'Ann' OR first_name__sys = 'Eva'", ["Ann", "Eva"]),
            ("(first_name__sys = 'Ann' OR first_name__sys = 'Eva') AND first_name__sys > 'B'", ["Eva"]),
            ("first_name__sys >= 'Eva'", ["Eva", "Ina"]),
            ("first_name__sys <= 'Eva' AND first_name__sys < 'Eva'", ["Ann"]),
            ("first_name__sys LIKE 'E%'", ["Eva"]),
            ("country__v = null", ["Ann", "Eva", "Ina"]),
            ("country__v != null", []),
            ("status__v = 'active__v'", ["Ann", "Eva", "Ina"]),
            ("status__v CONTAINS ('inactive__v')", []),
        ],
    )  # fmt: skip
    async def test_conditions(
        self, tried: Tried, condition: str, expected: list[str]
    ) -> None:
        family = key()
        for name in ("Ina", "Ann", "Eva"):
            await made(tried.access, key(), first_name__sys=name, last_name__sys=family)
        own = f"last_name__sys = '{family}' AND ({condition})"
        statement = (
            f"SELECT first_name__sys FROM {PERSON} WHERE {own} ORDER BY first_name__sys"
        )
        rows = (await tried.access.query(statement)).rows
        assert [row["first_name__sys"] for row in rows] == expected

    async def test_rows_are_ordered_and_limited(self, tried: Tried) -> None:
        family = key()
        for name in ("B", "A", "C"):
            await made(tried.access, key(), first_name__sys=name, last_name__sys=family)
        own = f"SELECT first_name__sys FROM {PERSON} WHERE last_name__sys = '{family}'"
        down = await tried.access.query(
            f"{own} ORDER BY first_name__sys DESC MAXROWS 2"
        )
        assert [row["first_name__sys"] for row in down.rows] == ["C", "B"]

    async def test_a_picklist_is_read_as_a_list(self, tried: Tried) -> None:
        external_id = key()
        await made(tried.access, external_id)
        assert await stored(tried.access, external_id, "status__v") == [["active__v"]]

    async def test_more_rows_than_a_call_or_a_page_has_come_back_whole(
        self, tried: Tried
    ) -> None:
        family = key()
        rows = [person(key(), last_name__sys=family) for _ in range(1_001)]
        results = await tried.access.upsert(PERSON, rows, KEY)
        assert ok(results) == [True] * 1_001
        statement = f"SELECT id FROM {PERSON} WHERE last_name__sys = '{family}'"
        found = (await tried.access.query(statement)).rows
        assert len(found) == 1_001
        assert {row["id"] for row in found} == {result.id for result in results}

    @pytest.mark.parametrize(
        ("second", "name", "expected", "newer"),
        [
            pytest.param(LATER, "Ina", "Ina", None, id="a later state is stored"),
            pytest.param(EARLIER, "Ina", "Eva", NOON, id="an earlier one is not"),
            pytest.param(NOON, "Ina", "Eva", NOON, id="nor one of the same moment"),
            pytest.param(EARLIER, "Eva", "Eva", None, id="what changes nothing is"),
        ],
    )
    async def test_a_row_of_an_older_source_state_is_left_out(
        self, tried: Tried, second: str, name: str, expected: str, newer: str | None
    ) -> None:
        external_id = key()
        await made(
            tried.access, external_id, first_name__sys="Eva", **{SOURCE_MODIFIED: NOON}
        )
        row = {KEY: external_id, "first_name__sys": name, SOURCE_MODIFIED: second}
        (result,) = await tried.access.upsert(PERSON, [row], KEY)
        assert (result.ok, result.newer) == (True, newer)
        assert await stored(tried.access, external_id, "first_name__sys") == [expected]

    async def test_a_document_with_the_key_of_another_is_not_created(
        self, tried: Tried
    ) -> None:
        external_id = key()
        await tried.access.create_documents([document(external_id)], KEY)
        (again,) = await tried.access.create_documents([document(external_id)], KEY)
        assert [error.type for error in again.errors] == ["ITEM_NAME_EXISTS"]

    async def test_a_changed_document_is_read_as_it_is_now(self, tried: Tried) -> None:
        external_id = key()
        (result,) = await tried.access.create_documents([document(external_id)], KEY)
        row = {"id": str(result.id), "title__v": "New"}
        assert ok(await tried.access.update_documents([row])) == [True]
        statement = (
            "SELECT LATESTVERSION id, title__v, TONAME(status__v) AS state__v "
            f"FROM ALLVERSIONS {DOCUMENTS} WHERE {KEY} = '{external_id}'"
        )
        (found,) = (await tried.access.query(statement)).rows
        assert (str(found["id"]), found["title__v"]) == (str(result.id), "New")
        assert found["state__v"] in ("draft__v", ["draft__v"])
