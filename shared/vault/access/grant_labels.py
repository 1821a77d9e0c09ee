"""Describes in plain words what each grant permits."""

from __future__ import annotations

from collections.abc import Mapping

from shared.vault.components.permission_types import Grant

GRANT_LABELS: Mapping[Grant, str] = {
    Grant.EXECUTE_MDL: "Change the configuration: all components except integration rules and queues",
    Grant.READ_CONFIGURATION: "Read the configuration",
    Grant.READ_QUEUES: "See Spark queues",
    Grant.MANAGE_QUEUES: "Configure Spark queues, switch their delivery, reset and trace them",
    Grant.REPORT_DELIVERIES: "Report deliveries, as connectors do",
    Grant.READ_QUEUE_LOG: "Read the queue log and the ways of messages",
    Grant.MANAGE_CONNECTIONS: "Manage connections, and establish and duplicate them",
    Grant.OPEN_CONNECTION_SESSIONS: "Open sessions of remote Vaults, as connectors do",
    Grant.SIGN_MESSAGES: "Sign messages, as connectors do",
    Grant.MANAGE_JOBS: "See, start and cancel the jobs of other users",
    Grant.USE_STAGING: "Use the staging area",
    Grant.MANAGE_STAGING: "Manage the files of all users in the staging area",
    Grant.USE_LOADER: "Load and extract records by files",
    Grant.MANAGE_PACKAGES: "Import, deploy and export packages",
    Grant.READ_AUDIT: "Read audit trails",
    Grant.RECORD_MIGRATION: "Write records in migration mode",
    Grant.DOCUMENT_MIGRATION: "Create documents and versions in migration mode",
    Grant.COPY_RECORDS: "Write records as a connection does",
    Grant.REQUEST_RUNS: "Request runs of integrations",
    Grant.MANAGE_INTEGRATIONS: "Manage integrations and integration rules",
    Grant.LOOK_UP_ACCOUNTS: "Look up accounts in Vault CRM",
    Grant.REHEARSE_FAULTS: "Switch rehearsed faults on and off",
    Grant.MANAGE_WORKFLOWS: "Manage the workflows and tasks of other users",
    Grant.READ_DIRECT_DATA: "Read Direct Data files",
}
