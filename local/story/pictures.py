"""Lists the pages of the pictures: the Vault, the user, and the links to follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CRM, MEDICAL = "crm_vault", "medical_vault"
ADMIN, BUSINESS = "admin", "business"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A page of a Vault, by its address and the links to follow from there; ``documented`` for the docs.

    * ``also`` is another Vault at which the user signs in; without ``who`` nobody signs in.
    * ``find`` are the words of a search over all records.
    * ``ticked`` is a box to tick, ``pressed`` a button to press at the end.
    """

    name: str
    vault: str
    who: str = ADMIN
    path: str
    links: tuple[str, ...] = ()
    documented: bool = False
    also: str = ""
    find: str = ""
    ticked: str = ""
    pressed: str = ""


def _crm(name: str, path: str, *links: str, **others: Any) -> Picture:
    return Picture(name=name, vault=CRM, path=path, links=links, **others)


def _medical(name: str, path: str, *links: str, **others: Any) -> Picture:
    return Picture(name=name, vault=MEDICAL, path=path, links=links, **others)


INQUIRIES = "/ui/objects/medical_inquiry__v"
REQUESTS = "/ui/objects/case_request__v"
RESPONSES = "/ui/objects/case_response__v"
CONNECTION = "Medical-CRM Connection"
LIFECYCLE = "/ui/lifecycles/medical_inquiry_lifecycle__v"
DETAILS = "Medical Inquiry Details"
RULE = "/ui/rules/medical_inquiries__v"

OF_A_REP = (
    _crm("rep", "/ui/", who=BUSINESS, documented=True),
    _crm("inquiries", INQUIRIES, who=BUSINESS),
    _crm("inquiry", f"{INQUIRIES}?sort=name__v", "INQ-000001", documented=True),
    _crm("new-inquiry", f"{INQUIRIES}/new", who=BUSINESS),
    _crm("accounts", "/ui/objects/account__v", who=BUSINESS),
    _crm("account", "/ui/objects/account__v?sort=name__v", "Maribel", who=BUSINESS),
    _crm("records", "/ui/objects", who=BUSINESS),
    _crm("search", "/ui/", find="m"),
    _crm("patterns", "/ui/patterns", who=BUSINESS),
    _crm("tasks", "/ui/tasks", who=BUSINESS),
    _crm("jobs-of-a-rep", "/ui/jobs", who=BUSINESS),
    _crm("notifications", "/ui/notifications", who=BUSINESS),
    _crm("not-found", "/ui/objects/nothing__c", who=BUSINESS),
    _crm("sign-in", "/ui/sign-in", who=""),
    _crm("password", "/ui/password", who=BUSINESS),
)
OF_AN_AGENT = (
    _medical("agent", "/ui/", who=BUSINESS, documented=True),
    _medical("requests", REQUESTS, who=BUSINESS),
    _medical("request", f"{REQUESTS}?sort=name__v", "CR-000002", who=BUSINESS),
    _medical(
        "response",
        f"{REQUESTS}?sort=name__v",
        "CR-000002",
        "Response",
        who=BUSINESS,
    ),
    _medical(
        "recipient",
        f"{RESPONSES}?sort=name__v",
        "RESP-000001",
        "/ui/answers/",
    ),
    _medical("recipient-gone", "/ui/answers/nothing", who=""),
    _medical(
        "origins",
        f"{REQUESTS}?sort=name__v",
        "CR-000001",
        ticked="Show where each value is from, and who changed it",
    ),
    _medical("audit", f"{REQUESTS}?sort=name__v", "CR-000001", "Audit Trail"),
    _medical("documents", "/ui/documents"),
    _medical("document", "/ui/documents", "Dosing"),
    _medical("new-document", "/ui/documents/new"),
)
OF_A_CONNECTION = (
    _medical("home", "/ui/", documented=True),
    _medical("connections", "/ui/connections"),
    _medical("connection", "/ui/connections", CONNECTION, documented=True),
    _medical("duplicate", "/ui/connections", CONNECTION, "Duplicate"),
    _medical("readiness", "/ui/connections", CONNECTION, "Look for what is missing"),
    _medical("integration", "/ui/connections", CONNECTION, DETAILS),
    _medical("dry-run", "/ui/connections", CONNECTION, DETAILS, "Dry run", also=CRM),
    _medical("runs", "/ui/connections", CONNECTION, DETAILS, "All runs"),
    _medical("reconciliation", "/ui/connections", CONNECTION, pressed="Compare now"),
    _medical("lookups", "/ui/lookups"),
    _medical("lookups-upload", "/ui/lookups/upload"),
    _medical("missing-lookups", "/ui/lookups/missing", also=CRM),
    _medical("rules", "/ui/rules"),
    _medical("rule", RULE, documented=True),
    _medical("rule-preview", f"{RULE}/preview", "INQ-", also=CRM),
    _medical("rule-edit", f"{RULE}/Fieldrule", also=CRM),
)
OF_MESSAGES = (
    _medical("live", "/ui/live"),
    _medical("queues", "/ui/queues"),
    _medical("queue", "/ui/queues", "Medical to CRM"),
    _medical("processors", "/ui/processors"),
    _crm("messages", f"{INQUIRIES}?sort=name__v", "INQ-000001", "Messages"),
    _crm(
        "message",
        f"{INQUIRIES}?sort=name__v",
        "INQ-000001",
        "Messages",
        "ago",
        also=MEDICAL,
    ),
    _medical("exceptions", "/ui/exceptions"),
    _medical("queue-log", "/ui/queue-log"),
    _medical("rehearsal", "/ui/rehearsal"),
)
OF_AN_ADMINISTRATOR = (
    _medical("users", "/ui/users"),
    _medical("user", "/ui/users/2"),
    _medical("new-user", "/ui/users/new"),
    _medical("groups", "/ui/groups"),
    _medical("group", "/ui/groups", "All Internal Users"),
    _medical("new-group", "/ui/groups/new"),
    _medical("profiles", "/ui/profiles"),
    _medical("profile", "/ui/profiles/integration_user__v"),
    _medical("new-permission-set", "/ui/permission-sets/new"),
    _crm("lifecycles", "/ui/lifecycles"),
    _crm("lifecycle", LIFECYCLE),
    _crm("new-lifecycle", "/ui/lifecycles/new"),
    _crm("user-action", LIFECYCLE, "Add User Action to Submitted"),
    _crm("entry-action", LIFECYCLE, "Add Entry Action to Submitted"),
    _crm("notification", LIFECYCLE, "Add Notification to Submitted"),
    _medical("packages", "/ui/packages"),
    _medical("import-package", "/ui/packages/import"),
    _medical("new-package", "/ui/packages/outbound/new"),
    _medical("components", "/ui/components"),
    _medical("components-of", "/ui/components", "Object"),
    _medical("component", "/ui/components/Object/case_request__v"),
    _medical("mdl", "/ui/components/mdl"),
    _medical("jobs", "/ui/jobs"),
    _medical("job", "/ui/jobs", "Integration run"),
)
PICTURES = (
    *OF_A_REP,
    *OF_AN_AGENT,
    *OF_A_CONNECTION,
    *OF_MESSAGES,
    *OF_AN_ADMINISTRATOR,
)
