"""Creates invented accounts, inquiries and products for the benchmark through the public API."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from shared.client import VaultClient

INQUIRY_ACTION = "Objectlifecyclestateuseraction.medical_inquiry__v"
SUBMIT = f"{INQUIRY_ACTION}.saved_state__v.submit__v"
TRANSFER = f"{INQUIRY_ACTION}.submitted_state__v.transfer_to_medical__v"
# As many as a call may have.
CALL_ROWS = 500
PRODUCT_GROUPS = 100
CHUNK = 5000  # rows that are on their way at once


class BenchFailed(Exception):
    """Raised when a benchmark cannot go on: a call was refused, or has another result than expected."""


async def submitted_inquiries(
    crm: VaultClient, medical: VaultClient, count: int, run: str
) -> list[str]:
    """Create ``count`` submitted inquiries, each for an account of its own with one address; return their ids."""
    country = await _country(crm)
    known = await medical.query("SELECT external_id__v FROM product__v")
    codes = [row["external_id__v"] for row in known.rows]
    names = ", ".join(f"'{code}'" for code in codes if code)
    products = await crm.query(
        f"SELECT id FROM product__v WHERE external_id__v CONTAINS ({names})"
    )
    product = products.rows[0]["id"]
    accounts = await _create(
        crm, "account__v", [_account(run, n, country) for n in range(count)]
    )
    await _create(
        crm,
        "address__v",
        [_address(run, n, account, country) for n, account in enumerate(accounts)],
    )
    inquiries = await _create(
        crm,
        "medical_inquiry__v",
        [_inquiry(n, account, product, country) for n, account in enumerate(accounts)],
    )
    results = await crm.run_bulk_action("medical_inquiry__v", inquiries, SUBMIT)
    if not all(result.ok for result in results):
        message = "submitting an inquiry was refused"
        raise BenchFailed(message)
    return inquiries


async def _create(
    client: VaultClient, object_name: str, rows: Sequence[dict[str, Any]]
) -> list[str]:
    starts = range(0, len(rows), CALL_ROWS)
    parts = [rows[start : start + CALL_ROWS] for start in starts]
    calls = [client.create(object_name, part) for part in parts]
    ids = []
    for results in await asyncio.gather(*calls):
        for result in results:
            if not result.ok:
                reason = result.errors[0].message
                raise BenchFailed(f"creating {object_name} was refused: {reason}")
            ids.append(str(result.id))
    return ids


def _account(run: str, number: int, country: object) -> dict[str, Any]:
    return {
        "name__v": f"Bench Reader {number}",
        "first_name_cda__v": "Bench",
        "last_name_cda__v": f"Reader {number}",
        "credentials__v": "MD",
        "email_cda__v": f"reader{number}@practice.example",
        "office_phone_cda__v": "+1 555 0100",
        "veevaid__v": f"V{run}{number:06d}",
        "external_id__v": f"BENCH-{run}-{number}",
        "primary_country__v": country,
    }


def _address(run: str, number: int, account: str, country: object) -> dict[str, Any]:
    return {
        "name__v": f"{number} Example Street",
        "account__v": account,
        "external_id__v": f"BENCH-{run}-{number}",
        "city_cda__v": "Springfield",
        "postal_code_cda__v": "00000",
        "country__v": country,
        "primary_cda__v": True,
    }


def _inquiry(
    number: int, account: str, product: object, country: object
) -> dict[str, Any]:
    return {
        "account__v": account,
        "product__v": product,
        "country__v": country,
        "inquiry_text__v": f"Question {number}: what is known about use in renal impairment?",
        "delivery_method__v": "email__v",
        "email__v": f"reader{number}@practice.example",
    }


async def many_accounts(crm: VaultClient, medical: VaultClient, count: int) -> None:
    """Create ``count`` accounts without an address, of a country whose agreement permits to pull them."""
    rule = {"country_code__v": "US", "pull_accounts_rule__v": "pull_accounts__v"}
    country = await _country(crm)
    await medical.update("country__v", [rule], "country_code__v")
    for start in range(0, count, CHUNK):
        numbers = range(start, min(start + CHUNK, count))
        rows = [_account("many", number, country) for number in numbers]
        await _create(crm, "account__v", rows)


async def _country(crm: VaultClient) -> object:
    query = "SELECT id FROM country__v WHERE country_code__v = 'US'"
    found = await crm.query(query)
    return found.rows[0]["id"]


async def changed_accounts(crm: VaultClient, count: int) -> None:
    """Change ``count`` of the accounts of ``many_accounts``."""
    # Other values each time, as the Vault does not write a record without changes.
    mark = uuid4().hex[:6]
    rows = (
        {"external_id__v": f"BENCH-many-{n}", "credentials__v": f"MD {mark}"}
        for n in range(count)
    )
    await _update(crm, "account__v", list(rows))


async def many_products(crm: VaultClient, count: int) -> None:
    """Create ``count`` products, each in one of 100 product groups."""
    groups = [
        {"name__v": f"Bench Group {n}", "external_id__v": f"BENCH-G-{n}"}
        for n in range(PRODUCT_GROUPS)
    ]
    ids = await _create(crm, "product_group__v", groups)
    rows = [
        {
            "name__v": f"Benchol {n}",
            "external_id__v": f"BENCH-P-{n}",
            "product_group__v": ids[n % PRODUCT_GROUPS],
        }
        for n in range(count)
    ]
    for start in range(0, count, CHUNK):
        await _create(crm, "product__v", rows[start : start + CHUNK])


async def changed_products(crm: VaultClient, count: int) -> None:
    """Rename ``count`` of the products of ``many_products``."""
    mark = uuid4().hex[:6]
    rows = [
        {"external_id__v": f"BENCH-P-{n}", "name__v": f"Benchol {n} {mark}"}
        for n in range(count)
    ]
    await _update(crm, "product__v", rows)


async def _update(
    client: VaultClient, object_name: str, rows: Sequence[dict[str, Any]]
) -> None:
    """Update records by external id, ten calls at once."""
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        calls = (
            client.update(object_name, part[at : at + CALL_ROWS], "external_id__v")
            for at in range(0, len(part), CALL_ROWS)
        )
        results = [
            result for answer in await asyncio.gather(*calls) for result in answer
        ]
        if not all(result.ok for result in results):
            message = f"changing {object_name} was refused"
            raise BenchFailed(message)
