"""Defines the Vault CRM: Accounts and Medical Inquiries."""

from __future__ import annotations

from pathlib import Path

from services.crm_vault import account_merges
from services.crm_vault.inquiries import (
    OBJECT,
    REASON,
    TransferredInquiry,
    fail_transfer,
    transfer_to_medical,
)
from services.crm_vault.rep_desk import (
    INQUIRY_FORM,
    INQUIRY_LEADS,
    RELATED,
    REP_DESK,
    is_sent,
    look_again,
)
from shared.vault.assembly.vault_definition import VaultDefinition
from shared.vault.records.guarded_records import GuardedRecords

CRM_VAULT = VaultDefinition(
    name="crm_vault",
    label="Vault CRM",
    vault_id=20202,
    standard=Path(__file__).parent / "standard",
    purpose="Reps write down the medical questions of physicians as Medical Inquiries and transfer them to the Medical"
    " Vault, whose answers come back here.",
    first_objects=("medical_inquiry__v", "account__v", "product__v"),
    actions={"transfer_to_medical": transfer_to_medical},
    error_text_fields=frozenset({REASON}),
    ineffective_actions={"transfer_to_medical": is_sent},
    state_actions={OBJECT: {"transfer_to_medical": "Transfer to Medical"}},
    triggers={
        OBJECT: TransferredInquiry(),
        account_merges.OBJECT: GuardedRecords(account_merges.OBJECT),
    },
    desk=REP_DESK,
    leads={OBJECT: INQUIRY_LEADS},
    guided={OBJECT: INQUIRY_FORM},
    related=RELATED,
    look_again={OBJECT: look_again},
    delivery_handlers={"fail_transfer__v": fail_transfer},
    merge_handlers={"account__v": account_merges.note_account_merge},
)
