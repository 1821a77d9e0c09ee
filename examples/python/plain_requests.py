"""Asks a medical question in Vault CRM with `requests`: pages of a query, a record, a user action, a refusal."""

from __future__ import annotations

import os

import requests

URL = os.environ["CRM_URL"]
API = f"{URL}/api/v25.1"
SUBMIT = "Objectlifecyclestateuseraction.medical_inquiry__v.saved_state__v.submit__v"
TIMEOUT_SECONDS = 30


def answer_of(response: requests.Response) -> dict:
    """Return the body of an answer; a Vault says in it whether the call succeeded, with HTTP status 200 for both."""
    response.raise_for_status()
    body = response.json()
    if body["responseStatus"] == "FAILURE":
        error = body["errors"][0]
        raise RuntimeError(f"{error['type']}: {error['message']}")
    return body


def signed_in() -> requests.Session:
    """Return a session that sends the id of its Vault session with each call."""
    form = {
        "username": os.environ["CRM_USERNAME"],
        "password": os.environ["CRM_PASSWORD"],
    }
    answer = answer_of(requests.post(f"{API}/auth", data=form, timeout=TIMEOUT_SECONDS))
    session = requests.Session()
    session.headers["Authorization"] = answer["sessionId"]
    session.headers["X-VaultAPI-ClientID"] = "example-python-requests"
    return session


def accounts(session: requests.Session) -> list[dict]:
    """Return all accounts, a page after the other."""
    statement = "SELECT id, name__v FROM account__v ORDER BY name__v PAGESIZE 2"
    answer = answer_of(
        session.post(f"{API}/query", data={"q": statement}, timeout=TIMEOUT_SECONDS)
    )
    rows = answer["data"]
    while next_page := answer["responseDetails"].get("next_page"):
        answer = answer_of(session.get(f"{URL}{next_page}", timeout=TIMEOUT_SECONDS))
        rows += answer["data"]
    return rows


def main() -> None:
    session = signed_in()
    found = accounts(session)
    print(f"accounts: {len(found)}")

    inquiry = {
        "account__v": found[0]["id"],
        "country__vr.country_code__v": "US",
        "inquiry_text__v": "Is an adjustment of the dose needed in renal impairment?",
        "delivery_method__v": "email__v",
        "email__v": "reader@practice.example",
    }
    inquiries = f"{API}/vobjects/medical_inquiry__v"
    answer = answer_of(session.post(inquiries, json=[inquiry], timeout=TIMEOUT_SECONDS))
    # Each row of a call has a result of its own: one may fail where others succeed.
    (result,) = answer["data"]
    address = f"{inquiries}/{result['data']['id']}"
    print(
        f"inquiry: {answer_of(session.get(address, timeout=TIMEOUT_SECONDS))['data']['state__v']}"
    )

    answer_of(session.post(f"{address}/actions/{SUBMIT}", timeout=TIMEOUT_SECONDS))
    print(
        f"inquiry: {answer_of(session.get(address, timeout=TIMEOUT_SECONDS))['data']['state__v']}"
    )

    try:
        answer_of(
            session.post(
                f"{API}/query",
                data={"q": "SELECT id FROM nothing__v"},
                timeout=TIMEOUT_SECONDS,
            )
        )
    except RuntimeError as error:
        print(f"refused: {str(error).partition(':')[0]}")
    session.delete(f"{API}/session", timeout=TIMEOUT_SECONDS)


if __name__ == "__main__":
    main()
