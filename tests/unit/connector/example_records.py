"""Records of Vault CRM and of the Medical Vault, in the variants that matter to a transfer."""

from __future__ import annotations

from services.connector.points.transfer import Outcome
from shared.client.results import Row
from tests.unit.connector.memory_client import MemoryClient
from tests.unit.connector.standard_vaults import Pair, country, product

ACCOUNTS = "account_inbound__v"
INQUIRIES = "medical_inquiry_details_inbound__v"
RETURNS = "inquiry_inbound__v"
CASES = "case_inbound__v"
ACCOUNT, INQUIRY = "account__v", "medical_inquiry__v"
PERSON, SOURCE_DATA = "person__sys", "case_contact_source_data__v"
CASE, REQUEST = "case__v", "case_request__v"


def account(crm: MemoryClient, code: str | None = "US", /, **fields: object) -> str:
    """An account of a country."""
    values: Row = {
        "name__v": "Ann Lee",
        "first_name_cda__v": "Ann",
        "last_name_cda__v": "Lee",
        "primary_country__v": country(crm, code) if code else None,
    }
    return crm.add(ACCOUNT, **{**values, **fields})


def inquiry(
    crm: MemoryClient,
    of: str | None,
    code: str | None = "US",
    /,
    **fields: object,
) -> str:
    """A pending inquiry of an account, of a country."""
    values: Row = {
        "account__v": of,
        "country__v": country(crm, code) if code else None,
        "product__v": product(crm, "P-1"),
        "inquiry_text__v": "How often?",
        "transfer_status__v": "pending__v",
    }
    return crm.add(INQUIRY, **{**values, **fields})


def contact(medical: MemoryClient, **fields: object) -> str:
    """An existing Case Contact."""
    values: Row = {
        "name__v": "Ann Lee",
        "last_name__sys": "Lee",
        "object_type__v": "case_contact__v",
    }
    return medical.add(PERSON, **{**values, **fields})


def status(crm: MemoryClient, item: str) -> object:
    """The Transfer Status of an inquiry."""
    return crm.get(INQUIRY, item)["transfer_status__v"]


async def inquiries(of: Pair, *ids: str, **options: bool) -> Outcome:
    """Transfer inquiries."""
    return await of.transfer(of.medical, INQUIRIES, INQUIRY, *ids, **options)


async def accounts(of: Pair, *ids: str, **options: bool) -> Outcome:
    """Transfer accounts."""
    return await of.transfer(of.medical, ACCOUNTS, ACCOUNT, *ids, **options)


def reason(outcome: Outcome, item: str) -> str:
    """Why a record failed."""
    return outcome.failures[item].message
