"""Names the steps of a connection's readiness, which connectors look through and Vaults show."""

from __future__ import annotations

from enum import StrEnum


class ReadinessStep(StrEnum):
    """The place of a fault, in the order of correction: the fault of one step may hide those of later steps."""

    CONNECTION = "connection"
    REMOTE_VAULT = "remote_vault"
    USER_RIGHTS = "user_rights"
    INTEGRATIONS = "integrations"
    POINTS = "integration_points"
    RULES = "integration_rules"
    QUEUES = "queues"
    CONSUMERS = "consumers"
    EXCEPTIONS = "user_exceptions"
