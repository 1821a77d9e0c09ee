"""Lists a rep's inquiries by what is to be done, leads through their form, and says which to look up again soon."""

from __future__ import annotations

from collections.abc import Mapping

from services.crm_vault.inquiries import (
    CLOSED,
    INTEGRATION,
    OBJECT,
    PENDING,
    STATUS,
    SUCCESS,
)
from shared.vault.assembly.ineffective_actions import only_value
from shared.vault.assembly.work_lists import (
    Desk,
    GuidedForm,
    Lead,
    Related,
    WorkList,
)

OWN = "created_by__v = {user_id}"
NEWEST = "modified_date__v DESC"
COLUMNS = (
    "name__v",
    "inquiry_text__v",
    "account__v",
    "product__v",
    "modified_date__v",
)

REP_DESK = Desk(
    OBJECT,
    "New inquiry",
    (
        "name__v",
        "inquiry_text__v",
        "account__v",
        "product__v",
        "transfer_status__v",
        "inquiry_status__v",
        "modified_date__v",
    ),
    (
        WorkList(
            "failed",
            "Failed",
            f"{OWN} AND transfer_status__v = 'failed__v'",
            NEWEST,
            ("name__v", "inquiry_text__v", "account__v", "transfer_error__v"),
            "These did not reach Medical. Open one, correct what is wrong, and transfer it again. Administrators find"
            " them under User Exception Messages.",
        ),
        WorkList(
            "drafts",
            "Drafts",
            f"{OWN} AND state__v = 'saved_state__v'",
            NEWEST,
            COLUMNS,
            "Not submitted yet. Open one to complete and submit it.",
        ),
        WorkList(
            "to_transfer",
            "To be transferred",
            f"{OWN} AND state__v = 'submitted_state__v' AND transfer_status__v = null",
            NEWEST,
            COLUMNS,
            "Submitted, but not sent yet. Open one and choose Transfer to Medical.",
        ),
        WorkList(
            "waiting",
            "Waiting for an answer",
            f"{OWN} AND transfer_status__v CONTAINS ('pending__v', '{SUCCESS}') AND inquiry_status__v != '{CLOSED}'",
            NEWEST,
            COLUMNS,
            "Medical has these, or will in a moment. The answer appears here.",
        ),
        WorkList(
            "answered",
            "Answered",
            f"{OWN} AND inquiry_status__v = '{CLOSED}'",
            "closed_date__v DESC",
            ("name__v", "inquiry_text__v", "account__v", "closed_date__v"),
            "Answered by Medical, latest first.",
            # Closed there before the answer arrives here.
            new_since="modified_date__v",
        ),
    ),
)
ADDRESS = (
    "address_line_1__v",
    "address_line_2__v",
    "city__v",
    "state_province__v",
    "zip__v",
)
INQUIRY_FORM = GuidedForm(
    goal="transfer_to_medical",
    integration=INTEGRATION,
    send_label="Submit and transfer",
    resend_label="Save and transfer",
    sent_message="The transfer to Medical has begun. This page shows its result, and later the answer.",
    minimum_fields=("account__v", "inquiry_text__v"),
    choice_field="delivery_method__v",
    fields_by_choice={
        "email__v": ("email__v",),
        "phone__v": ("phone_number__v",),
        "fax__v": ("fax_number__v",),
        "mail__v": ADDRESS,
        "urgent_mail__v": ADDRESS,
    },
    chosen_heading="Delivery of the answer",
    other_heading="Other contact details",
)
# The error of a failed transfer, or the answer; then the question and its account.
INQUIRY_LEADS = (
    Lead("transfer_error__v"),
    Lead("response__v"),
    Lead("response_package_link__v"),
    Lead("inquiry_text__v"),
    Lead("account__v"),
    Lead("product__v"),
    Lead("inquiry_status__v"),
    Lead("transfer_status__v"),
    Lead("closed_date__v"),
)
# What a rep opens an account for.
RELATED = {
    "account__v": (
        Related(
            OBJECT,
            "account__v",
            (
                "name__v",
                "inquiry_text__v",
                "product__v",
                "transfer_status__v",
                "inquiry_status__v",
                "modified_date__v",
            ),
        ),
        Related(
            "address__v",
            "account__v",
            ("name__v", "city_cda__v", "state_province__v", "country__v"),
        ),
    ),
}

SOON = 1
LATER = 10


def look_again(inquiry: Mapping[str, object]) -> int | None:
    """Return after how many seconds to look up an inquiry again; None when nothing about it is under way."""
    status = only_value(inquiry, STATUS)
    if status == PENDING[STATUS]:
        return SOON
    answered = only_value(inquiry, "inquiry_status__v") == CLOSED
    return LATER if status == SUCCESS and not answered else None


def is_sent(inquiry: Mapping[str, object], _user: int) -> bool:
    """Return whether an inquiry is being transferred to Medical, or was transferred."""
    return only_value(inquiry, STATUS) in (PENDING[STATUS], SUCCESS)
