"""Asks a medical question in Vault CRM with `veevatools`: a query, a record, a user action, a refusal."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from veevatools.veevavault import ObjectService, QueryService, VaultClient

URL = os.environ["CRM_URL"]
OBJECT = "medical_inquiry__v"
SUBMIT = f"Objectlifecyclestateuseraction.{OBJECT}.saved_state__v.submit__v"


class LoginHost(HTTPAdapter):
    """Sends to the local Vault what the client asks of the vendor's login host: how a user signs in."""

    def send(self, request: PreparedRequest, *args, **kwargs) -> Response:
        address = urlsplit(request.url)
        request.url = f"{URL}{address.path}?{address.query}"
        return super().send(request, *args, **kwargs)


def main() -> None:
    client = VaultClient()
    client._session.mount("https://login.veevavault.com", LoginHost())
    client.authenticate(
        vaultURL=f"{URL}/",
        vaultUserName=os.environ["CRM_USERNAME"],
        vaultPassword=os.environ["CRM_PASSWORD"],
    )
    queries, objects = QueryService(client), ObjectService(client)

    statement = "SELECT id, name__v FROM account__v ORDER BY name__v"
    found = queries.bulk_query(statement)["data"]
    print(f"accounts: {len(found)}")

    inquiry = {
        "account__v": found[0]["id"],
        "country__vr.country_code__v": "US",
        "inquiry_text__v": "Is an adjustment of the dose needed in renal impairment?",
        "delivery_method__v": "email__v",
        "email__v": "reader@practice.example",
    }
    created = objects.crud.create_object_records(
        OBJECT, inquiry, content_type="application/json", accept="application/json"
    )
    record_id = created["data"][0]["data"]["id"]
    record = objects.crud.retrieve_object_record(OBJECT, record_id)
    print(f"inquiry: {record['data']['state__v']}")

    objects.initiate_object_action_on_single_record(OBJECT, record_id, SUBMIT)
    record = objects.crud.retrieve_object_record(OBJECT, record_id)
    print(f"inquiry: {record['data']['state__v']}")

    refused = queries.query("SELECT id FROM nothing__v")
    print(f"refused: {refused['errors'][0]['type']}")


if __name__ == "__main__":
    main()
