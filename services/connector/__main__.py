"""Starts the connector process: ``python -m services.connector``."""

from __future__ import annotations

from services.connector.app import create_app
from services.connector.connector_settings import ConnectorSettings
from shared.runtime.logging import configure_logging
from shared.runtime.process import serve


def main() -> None:
    """Read the settings and serve until the process is stopped."""
    settings = ConnectorSettings()
    configure_logging(settings, "connector")
    serve(
        create_app(settings),
        settings.host,
        settings.port,
        bounds=settings.connection_bounds,
        tls=settings.tls,
    )


if __name__ == "__main__":
    main()
