"""Transfers inquiries by a plain, hand-written pipeline with the same reads and writes, for comparison."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from bench.data import BenchFailed
from shared.client import VaultClient

PAGE = 500
Row = Mapping[str, Any]

READ = (
    "SELECT id, global_id__sys, modified_date__v, LONGTEXT(inquiry_text__v), delivery_method__v, email__v, "
    "product__vr.external_id__v, country__vr.country_code__v, account__vr.global_id__sys, "
    "account__vr.first_name_cda__v, account__vr.last_name_cda__v, account__vr.credentials__v, "
    "account__vr.email_cda__v, account__vr.office_phone_cda__v, account__vr.veevaid__v, account__vr.external_id__v "
    "FROM medical_inquiry__v WHERE id CONTAINS ({ids})"
)


async def transfer(
    crm: VaultClient, medical: VaultClient, inquiries: Sequence[str]
) -> None:
    """Transfer the inquiries page by page: read, map, write four records for each, set the status."""
    pages = [
        inquiries[start : start + PAGE] for start in range(0, len(inquiries), PAGE)
    ]
    reading = asyncio.create_task(_read(crm, pages[0]))
    for number in range(len(pages)):
        rows = await reading
        # The next page is read while this one is written.
        if number + 1 < len(pages):
            reading = asyncio.create_task(_read(crm, pages[number + 1]))
        await _write(crm, medical, rows)


async def _read(crm: VaultClient, ids: Sequence[str]) -> list[Row]:
    quoted = ", ".join(f"'{identifier}'" for identifier in ids)
    return list((await crm.query(READ.format(ids=quoted))).rows)


async def _write(crm: VaultClient, medical: VaultClient, rows: Sequence[Row]) -> None:
    people = await medical.upsert(
        "person__sys", [_person(row) for row in rows], "veeva_id__v"
    )
    links = [
        {"link__sys": row["account__vr.global_id__sys"], **_source(row)} for row in rows
    ]
    for link, person in zip(links, people, strict=True):
        link["person__v"] = person.id
    cases = [
        {
            "link__sys": row["global_id__sys"],
            "case_contact__v": person.id,
            "country__vr.country_code__v": row["country__vr.country_code__v"],
            "origination_channel__v": "vault_crm__v",
        }
        for row, person in zip(rows, people, strict=True)
    ]
    _, written = await asyncio.gather(
        medical.upsert("case_contact_source_data__v", links, "link__sys"),
        medical.upsert("case__v", cases, "link__sys"),
    )
    requests = [
        {
            "link__sys": row["global_id__sys"],
            "case__v": case.id,
            "product__vr.external_id__v": row["product__vr.external_id__v"],
            "question__v": row["inquiry_text__v"],
        }
        for row, case in zip(rows, written, strict=True)
    ]
    await medical.upsert("case_request__v", requests, "link__sys")
    results = await crm.update(
        "medical_inquiry__v",
        [{"id": row["id"], "transfer_status__v": "success__v"} for row in rows],
    )
    if not all(result.ok for result in results):
        message = "a status was refused"
        raise BenchFailed(message)


def _person(row: Row) -> dict[str, Any]:
    return {
        "name__v": f"{row['account__vr.first_name_cda__v']} {row['account__vr.last_name_cda__v']}",
        "object_type__v.api_name__v": "case_contact__v",
        "first_name__sys": row["account__vr.first_name_cda__v"],
        "last_name__sys": row["account__vr.last_name_cda__v"],
        "email__sys": row["account__vr.email_cda__v"],
        "veeva_id__v": row["account__vr.veevaid__v"],
        "external_id__v": row["account__vr.external_id__v"],
    }


def _source(row: Row) -> dict[str, Any]:
    return {
        "name__v": row["account__vr.external_id__v"],
        "first_name__v": row["account__vr.first_name_cda__v"],
        "last_name__v": row["account__vr.last_name_cda__v"],
        "credentials__v": row["account__vr.credentials__v"],
        "email__v": row["account__vr.email_cda__v"],
    }
