"""Finds the faults of the rules that a preview uses."""

from __future__ import annotations

from services.connector.points.points import point_of
from services.connector.preview.record_preview import Plan
from services.connector.rules.rule_findings import RuleFinding
from services.connector.vaults.rule_check import PointRules, check_rules
from shared.client.client import VaultClient


async def plan_findings(plan: Plan, target: VaultClient) -> list[RuleFinding]:
    """Return the findings about the rules of a plan's integration point that read its object.

    :raises RuleError: one of the point's rules cannot be read.
    :raises ConfigurationFault: the point has no rule.
    :raises ClientError: a call fails.
    """
    rules = plan.configuration.rules_of(plan.route)
    reading = {rule.name for rule in rules if rule.primary_query_object == plan.object}
    # A component without a primary query object is judged as a whole.
    whole = tuple(rule for rule in rules if rule.name in reading)
    point = point_of(plan.route)
    checked = PointRules(plan.route, point.share, point.fills_documents, whole)
    return await check_rules(target, plan.configuration, [checked])
