"""The alerts for Prometheus: about metrics that exist, and named in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

from shared.runtime.telemetry import metrics

PROJECT = Path(__file__).resolve().parents[2]
RULES = PROJECT / "deploy/prometheus-rules.yml"
PAGE = PROJECT / "docs/operations.md"

RULE = re.compile(r"- alert: (\w+)\n +expr: (.+)\n")
# Words of an expression that are no metrics.
FUNCTIONS = {"histogram_quantile"}
LABELS = {"error_type"}


def test_alerts_are_about_metrics_that_exist() -> None:
    known = {
        f"{family.name}{ending}"
        for family in metrics.registry.collect()
        for ending in ("", "_total", "_bucket")
    }
    rules = RULE.findall(RULES.read_text(encoding="utf-8"))
    assert rules
    for alert, expression in rules:
        words = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", expression))
        named = words - FUNCTIONS - LABELS
        assert named, alert
        assert named <= known, alert


def test_the_operations_page_names_every_alert() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rules = RULE.findall(RULES.read_text(encoding="utf-8"))
    assert all(f"`{alert}`" in page for alert, _ in rules)
