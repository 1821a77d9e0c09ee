"""Defines the Medical Vault: MedInquiry Cases and Case Requests."""

from __future__ import annotations

from pathlib import Path

from services.medical_vault import assignments, case_contact_merges
from services.medical_vault.agent_desk import (
    AGENT_DESK,
    ANSWERED,
    RELATED,
    REQUEST_LEADS,
)
from services.medical_vault.case_requests import OBJECT as REQUEST
from services.medical_vault.case_requests import return_to_crm
from services.medical_vault.content import publish_to_crm
from shared.vault.assembly.action_parameters import OF_MESSAGES, EntryActionForm
from shared.vault.assembly.vault_definition import VaultDefinition
from shared.vault.records.guarded_records import GuardedRecords

MEDICAL_VAULT = VaultDefinition(
    name="medical_vault",
    label="Medical Vault",
    vault_id=10101,
    standard=Path(__file__).parent / "standard",
    purpose="Medical Inquiries of Vault CRM arrive here as Cases; agents answer their Case Requests, and what comes of"
    " them returns to the rep who asked.",
    first_objects=("case_request__v", "case__v", "person__sys"),
    desk=AGENT_DESK,
    leads={AGENT_DESK.object: REQUEST_LEADS},
    related=RELATED,
    answered=ANSWERED,
    actions={
        "assign": assignments.assign,
        "assign_if_nobodys": assignments.assign_if_nobodys,
        "assign_to_me": assignments.assign_to_me,
        "merge_case_contacts": case_contact_merges.merge_case_contacts,
        "publish_to_crm": publish_to_crm,
        "return_to_crm": return_to_crm,
    },
    ineffective_actions={"assign_to_me": assignments.is_assigned_to},
    state_actions={
        case_contact_merges.MERGE: {"merge_case_contacts": "Merge Case Contacts"},
        REQUEST: {
            "assign_to_me": "Assign to Me",
            "assign_if_nobodys": "Assign to Me Unless Assigned",
        },
    },
    entry_action_forms={
        REQUEST: {"return_to_crm": EntryActionForm("Return to Vault CRM", OF_MESSAGES)}
    },
    triggers={
        case_contact_merges.MERGE: GuardedRecords(
            case_contact_merges.MERGE,
            connected=True,
        ),
    },
    merge_handlers={case_contact_merges.PERSON: case_contact_merges.keep_links},
)
