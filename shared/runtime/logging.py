"""Structured logging: one JSON line an event, the standard library's loggers included."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Protocol

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

# Chatty at INFO, or repeating what our own code already says once per change of state.
QUIET_LOGGERS = {
    "aio_pika": logging.ERROR,
    "aiormq": logging.CRITICAL,
    "asyncio": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "uvicorn.error": logging.INFO,
}


class LoggingSettings(Protocol):
    """What :func:`configure_logging` needs of a service's settings."""

    @property
    def log_level(self) -> str:
        """Lowest level written, for example ``INFO``."""

    @property
    def log_format(self) -> str:
        """``json`` or ``console``."""


def configure_logging(settings: LoggingSettings, service: str) -> None:
    """Send structlog and standard logging to standard output in one format.

    Every line carries ``service``, ``level``, ``timestamp`` (UTC, ISO 8601) and ``event``. Of an
    exception only its type, the first line of its text and its frames are written: later lines of
    database and validation errors repeat the values that were sent, which may be personal.
    """

    def add_service(
        _logger: WrappedLogger,
        _method: str,
        event: EventDict,
    ) -> EventDict:
        event["service"] = service
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_service,
        render_exception,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(settings.log_format),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    for name, level in QUIET_LOGGERS.items():
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
        logger.setLevel(max(level, root.level))


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the structured logger of a module; works before :func:`configure_logging` too."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def first_line(error: BaseException) -> str:
    """Return an exception's text up to its first line break, at most 300 characters."""
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else ""


def render_exception(
    _logger: WrappedLogger,
    _method: str,
    event: EventDict,
) -> EventDict:
    """Replace ``exc_info`` by ``exception``: the chain of causes, each with type, text and frames."""
    error = _current_exception(event.pop("exc_info", None))
    chain: list[dict[str, object]] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen and len(chain) < 5:
        seen.add(id(error))
        frames = traceback.extract_tb(error.__traceback__)[-12:]
        chain.append(
            {
                "type": type(error).__qualname__,
                "text": first_line(error),
                "frames": [
                    f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames
                ],
            }
        )
        error = error.__cause__ or (
            None if error.__suppress_context__ else error.__context__
        )
    if chain:
        event["exception"] = chain
    return event


def _current_exception(
    exc_info: ExcInfo | BaseException | bool | None,
) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1]
    return sys.exc_info()[1] if exc_info else None


def _renderers(log_format: str) -> list[Processor]:
    if log_format == "console":
        return [
            _exception_as_text,
            structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty()),
        ]
    return [structlog.processors.JSONRenderer(ensure_ascii=False, default=str)]


def _exception_as_text(
    _logger: WrappedLogger,
    _method: str,
    event: EventDict,
) -> EventDict:
    chain = event.get("exception")
    if chain:
        event["exception"] = "\n".join(
            "\n  ".join([f"{error['type']}: {error['text']}", *error["frames"]])
            for error in chain
        )
    return event
