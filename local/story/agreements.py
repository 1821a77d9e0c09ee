"""Chapter of the data usage agreements: what of an account may leave CRM, country by country."""

from __future__ import annotations

from uuid import uuid4

from local.narration import Narration
from local.story.cast import INTEGRATION, Cast, Row, StoryFailed, create, need, one, run
from local.story.inquiries import known_product, new_inquiry, transfer_status

PULL, WITH_INQUIRIES, NEVER = (
    "pull_accounts__v",
    "only_accounts_with_inquiries__v",
    "do_not_pull_accounts__v",
)
RULES = {
    PULL: "every account",
    WITH_INQUIRIES: "only accounts with inquiries",
    NEVER: "no account",
}


async def kept(cast: Cast, narration: Narration) -> None:
    """New accounts of three countries: a run pulls one, an inquiry the second, and nothing the third."""
    narration.chapter("Each country's data usage agreement is kept")
    accounts = {rule: await _account(cast, narration, rule) for rule in RULES}
    await run(narration, "Medical", cast.medical_admin, INTEGRATION)
    await _expect(cast, narration, accounts, {PULL}, "after the run")
    product = await known_product(cast)
    for rule in (WITH_INQUIRIES, NEVER):
        inquiry = await new_inquiry(
            cast, narration, accounts[rule], product, "What is known of interactions?"
        )
        await transfer_status(cast, inquiry["id"], "success__v")
    await _expect(
        cast,
        narration,
        accounts,
        {PULL, WITH_INQUIRIES},
        "after an inquiry for each of the others",
    )
    narration.transferred(
        "Accounts of three countries",
        "CRM",
        "Case Contact Source Data",
        "As each Pull Accounts Rule allows",
    )


async def _account(cast: Cast, narration: Narration, rule: str) -> Row:
    """A new account in a country of the Medical Vault that has this Pull Accounts Rule."""
    country = await need(
        cast.medical_admin,
        "SELECT country_code__v, name__v FROM country__v "
        f"WHERE pull_accounts_rule__v = '{rule}' AND country_code__v != 'US' ORDER BY country_code__v MAXROWS 1",
        f"a country with the Pull Accounts Rule {rule}",
    )
    code = f"DEMO-{uuid4().hex[:8].upper()}"
    row = {
        "name__v": f"Example {code[-8:]}",
        "first_name_cda__v": "Example",
        "last_name_cda__v": code[-8:],
        "external_id__v": code,
        "primary_country__vr.country_code__v": country["country_code__v"],
    }
    account = await cast.crm_admin.record(
        "account__v", await create(cast.crm_admin, "account__v", row)
    )
    narration.hop(
        "CRM",
        f"account {account['id']} in {country['name__v']}, which lets {RULES[rule]} be pulled",
    )
    return account


async def _expect(
    cast: Cast,
    narration: Narration,
    accounts: dict[str, Row],
    there: set[str],
    when: str,
) -> None:
    for rule, account in accounts.items():
        found = await one(
            cast.medical_admin,
            "SELECT id, last_name__v FROM case_contact_source_data__v "
            f"WHERE external_id__v = '{account['external_id__v']}'",
        )
        if (found is not None) != (rule in there):
            message = f"{when}, account {account['id']} was {'left out' if found is None else 'pulled'}"
            raise StoryFailed(message)
    names = ", ".join(RULES[rule] for rule in RULES if rule in there)
    narration.hop(
        "Medical", f"{when}, account data is there from the countries with: {names}"
    )
