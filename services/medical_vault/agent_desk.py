"""Lists the Case Requests of the call centre by what they need."""

from __future__ import annotations

from shared.vault.assembly.work_lists import Desk, Lead, WorkList

OLDEST = "created_date__v ASC"
COLUMNS = ("name__v", "product__v", "delivery_method__v", "created_date__v")

AGENT_DESK = Desk(
    "case_request__v",
    "New Case Request",
    (
        "name__v",
        "state__v",
        "case__v",
        "product__v",
        "delivery_method__v",
        "created_date__v",
    ),
    (
        WorkList(
            "mine",
            "In progress, mine",
            "state__v = 'in_progress_state__v' AND modified_by__v = {user_id}",
            OLDEST,
            COLUMNS,
            "You were the last to work on them.",
        ),
        WorkList(
            "new",
            "New",
            "state__v = 'new_state__v'",
            OLDEST,
            COLUMNS,
            "Nobody has begun with them; the oldest first.",
        ),
        WorkList(
            "others",
            "In progress, by others",
            "state__v = 'in_progress_state__v' AND modified_by__v != {user_id}",
            OLDEST,
            COLUMNS,
            "Somebody else was the last to work on them.",
        ),
        WorkList(
            "closed",
            "Closed",
            "state__v = 'closed_state__v'",
            "closed_date__v DESC",
            ("name__v", "product__v", "delivery_method__v", "closed_date__v"),
            "Answered; the latest first.",
        ),
    ),
)

# The question, who asked it, and how to reach them.
REQUEST_LEADS = (
    Lead("question__v"),
    Lead("case__vr.case_contact__vr.name__v", "Asked by"),
    Lead("product__v"),
    Lead("delivery_method__v"),
    Lead("email__v"),
    Lead("phone_number__v"),
    Lead("response_notes__v"),
    Lead("response_package_link__v"),
)
