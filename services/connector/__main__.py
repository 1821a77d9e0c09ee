"""Starts the connector process: ``python -m services.connector``."""

from __future__ import annotations

import gc


def main() -> None:
    """Read the settings and serve until the process is stopped."""
    # What is loaded stays: looking for garbage in it takes a fifth of the time. The server begins to look for some.
    gc.disable()
    from services.connector.app import create_app  # noqa: PLC0415
    from services.connector.connector_settings import (  # noqa: PLC0415
        ConnectorSettings,
    )
    from shared.runtime.logging import configure_logging  # noqa: PLC0415
    from shared.runtime.process import serve  # noqa: PLC0415

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
