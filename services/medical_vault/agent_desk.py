"""Lists the Case Requests of the call centre by what is to be done."""

from __future__ import annotations

from shared.vault.assembly.work_lists import (
    Answered,
    Desk,
    DeskFilter,
    FilterOption,
    Lead,
    Related,
    RelatedColumn,
    WorkList,
)

OLDEST = "created_date__v ASC"
PRIORITY = "case__vr.priority__v"
CONTACT = "case__vr.case_contact__vr.name__v"
ASKED_BY = RelatedColumn(
    "asked_by", Lead(CONTACT, "Asked by"), ("email__v", "phone_number__v")
)
URGENCY = RelatedColumn("urgency", Lead(PRIORITY, "Priority"))
OLDER = "created_date__v < '{moment}'"
COLUMNS = (
    "name__v",
    "question__v",
    ASKED_BY.name,
    "product__v",
    URGENCY.name,
    "created_date__v",
)
OPEN = "state__v CONTAINS ('new_state__v', 'in_progress_state__v')"

AGENT_DESK = Desk(
    "case_request__v",
    "New Case Request",
    (
        "name__v",
        "question__v",
        ASKED_BY.name,
        "product__v",
        URGENCY.name,
        "state__v",
        "assigned_to__v",
        "created_date__v",
    ),
    (
        WorkList(
            "mine",
            "Mine",
            f"{OPEN} AND assigned_to__v = '{{user_id}}'",
            OLDEST,
            COLUMNS,
            "Assigned to you, oldest first.",
        ),
        WorkList(
            "urgent",
            "Urgent",
            f"{OPEN} AND {PRIORITY} = 'high__v'",
            OLDEST,
            (*COLUMNS, "assigned_to__v"),
            "Of Cases with high priority, whoever has them; oldest first.",
        ),
        WorkList(
            "unassigned",
            "Unassigned",
            f"{OPEN} AND assigned_to__v = null",
            OLDEST,
            COLUMNS,
            "Nobody has these yet, oldest first. Start Work makes one yours.",
            new_since="created_date__v",
        ),
        WorkList(
            "others",
            "Assigned to others",
            f"{OPEN} AND assigned_to__v != null AND assigned_to__v != '{{user_id}}'",
            OLDEST,
            (*COLUMNS, "assigned_to__v"),
            "Colleagues work on these, oldest first.",
        ),
        WorkList(
            "closed",
            "Closed",
            "state__v = 'closed_state__v'",
            "closed_date__v DESC",
            ("name__v", "question__v", "product__v", "closed_date__v"),
            "Answered, latest first.",
        ),
    ),
    (ASKED_BY, URGENCY),
    (
        DeskFilter(
            "urgency",
            "Priority",
            tuple(
                FilterOption(name, name.capitalize(), f"{PRIORITY} = '{name}__v'")
                for name in ("high", "normal", "low")
            ),
        ),
        DeskFilter(
            "age",
            "Age",
            (
                FilterOption("day", "Over a day", OLDER, 1),
                FilterOption("week", "Over a week", OLDER, 7),
                FilterOption("month", "Over 30 days", OLDER, 30),
            ),
        ),
    ),
)

# The question, who asked it, and how to reach them.
REQUEST_LEADS = (
    Lead("question__v"),
    ASKED_BY.lead,
    Lead("delivery_method__v"),
    Lead("email__v"),
    Lead("phone_number__v"),
    Lead("case__vr.preferred_contact_information__vr.value__v", "Preferred contact"),
    Lead("product__v"),
    Lead("case__vr.case_contact__vr.specialty__vr.name__v", "Specialty"),
    Lead("case__vr.country__vr.name__v", "Country"),
    URGENCY.lead,
    Lead("assigned_to__v"),
    Lead("response_notes__v"),
    Lead("response_package_link__v"),
)

ANSWERED = Answered(
    "case_request__v",
    question="question__v",
    answer="response_notes__v",
    condition="state__v = 'closed_state__v' AND response_notes__v != null",
    date="closed_date__v",
    same="product__v",
)

# A Case is known by what was asked in it, a person by their Cases.
RELATED = {
    "case__v": (
        Related(
            "case_request__v",
            "case__v",
            (
                "name__v",
                "question__v",
                "product__v",
                "state__v",
                "assigned_to__v",
                "created_date__v",
            ),
        ),
    ),
    "person__sys": (
        Related(
            "case__v",
            "case_contact__v",
            (
                "name__v",
                "priority__v",
                "country__v",
                "origination_channel__v",
                "created_date__v",
            ),
        ),
    ),
}
