"""Serves the metrics of a process at ``/metrics`` in the Prometheus text format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

if TYPE_CHECKING:
    from shared.runtime.telemetry import Metrics


def metrics_router(catalogue: Metrics) -> APIRouter:
    """Return the route ``/metrics`` of a process with these metrics."""
    router = APIRouter(include_in_schema=False)

    @router.get("/metrics")
    def metrics_text() -> Response:
        headers = {"Content-Type": CONTENT_TYPE_LATEST}
        return Response(catalogue.text(), headers=headers)

    return router
