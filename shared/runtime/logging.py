"""Writes structured logs: one line of JSON for each event, events of the standard library's loggers included."""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Mapping
from typing import Any, Protocol

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from shared.protocol.redaction import without_values

# Chatty at INFO, or repeating what our own code already says once per change of state.
QUIET_LOGGERS = {
    "aio_pika": logging.ERROR,
    "aiormq": logging.CRITICAL,
    "asyncio": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "uvicorn.error": logging.INFO,
}


MAX_TEXT_LENGTH = 300
# The innermost frames say where it failed; the outermost are the same in every trace of a process.
MAX_FRAMES = 12
MAX_CAUSES = 5
# Their texts are written by rules of their own: they repeat values of records only as texts of the API do.
OWN_PACKAGES = frozenset({"shared", "services", "local", "medcrm"})
# Of Python and libraries, these are about a value, which their texts repeat, quoted or not.
ABOUT_VALUES = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
)
# What is not closed goes to the end, as an apostrophe has it: rather too little than a value.
_QUOTED = re.compile(r"\"[^\"]*+\"?+|'[^']*+'?+")


class LoggingSettings(Protocol):
    """The settings of a service that :func:`configure_logging` reads."""

    @property
    def log_level(self) -> str:
        """Return the lowest level written, for example ``INFO``."""

    @property
    def log_format(self) -> str:
        """Return ``json`` or ``console``."""


def configure_logging(settings: LoggingSettings, service: str) -> None:
    """Send structlog and standard logging to standard output in one format.

    Every line carries ``service``, ``level``, ``timestamp`` (UTC, ISO 8601) and ``event``. Of an
    exception only its type, the first line of its text as ``first_line`` returns it and its frames are
    written: texts of other libraries' errors repeat the values that were sent, which may be personal.
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
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        # Lines of other libraries get the same members.
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *_renderers(settings.log_format),
        ],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    for name, level in QUIET_LOGGERS.items():
        logger = logging.getLogger(name)
        # Those that it brought would write each line a second time, in their own format.
        logger.handlers = []
        logger.propagate = True
        logger.setLevel(max(level, root.level))


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the structured logger of a module; works before :func:`configure_logging` too."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's text without values, at most 300 characters.

    The line is empty for an error of Python or a library that is about a value; for others it is the text outside of
    quotes. In each, ``[field=value]`` is cut to ``[field]``.
    """
    # Before the first line is taken, as a value may have several.
    text = without_values(_text(error)).strip()
    if not text:
        return ""
    line = text.splitlines()[0]
    if not _is_own(error):
        line = _QUOTED.sub("…", line)
    return line[:MAX_TEXT_LENGTH]


def _text(error: BaseException) -> str:
    """Return an exception's text, cut to the length that is examined."""
    if isinstance(error, OSError) and error.strerror:
        # The system's words, without the name of a file.
        return str(error.strerror)
    if isinstance(error, ABOUT_VALUES) and not _is_own(error):
        return ""
    return str(error)


def _is_own(error: BaseException) -> bool:
    package, _, _ = type(error).__module__.partition(".")
    return package in OWN_PACKAGES


def render_exception(
    _logger: WrappedLogger,
    _method: str,
    event: EventDict,
) -> EventDict:
    """Replace ``exc_info`` by ``exception``: the chain of causes, each with type, text and frames."""
    error = _current_exception(event.pop("exc_info", None))
    chain: list[dict[str, object]] = []
    seen: set[int] = set()
    # A chain can be a circle: nothing keeps an exception from being raised from one that it caused.
    while error is not None and id(error) not in seen and len(chain) < MAX_CAUSES:
        seen.add(id(error))
        chain.append(_described(error))
        error = _cause(error)
    if chain:
        event["exception"] = chain
    return event


def _described(error: BaseException) -> dict[str, object]:
    frames = traceback.extract_tb(error.__traceback__)
    places = [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in frames[-MAX_FRAMES:]
    ]
    return {
        "type": type(error).__qualname__,
        "text": first_line(error),
        "frames": places,
    }


def _cause(error: BaseException) -> BaseException | None:
    """Return the cause of an exception, else the exception that was being handled, unless suppressed."""
    if error.__cause__ is not None or error.__suppress_context__:
        return error.__cause__
    return error.__context__


def _current_exception(
    exc_info: ExcInfo | BaseException | bool | None,
) -> BaseException | None:
    # Callers pass an exception, the triple of ``sys.exc_info()``, or True for the one being handled.
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1]
    if not exc_info:
        return None
    _, current, _ = sys.exc_info()
    return current


def _renderers(log_format: str) -> list[Processor]:
    if log_format == "console":
        console = structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())
        return [_exception_as_text, console]
    # ``default=str``: a value that is not JSON must not cost the line.
    return [structlog.processors.JSONRenderer(ensure_ascii=False, default=str)]


def _exception_as_text(
    _logger: WrappedLogger,
    _method: str,
    event: EventDict,
) -> EventDict:
    chain = event.get("exception")
    if chain:
        causes = [_cause_as_text(cause) for cause in chain]
        event["exception"] = "\n".join(causes)
    return event


def _cause_as_text(cause: Mapping[str, Any]) -> str:
    title = ": ".join(filter(None, [cause["type"], cause["text"]]))
    return "\n  ".join([title, *cause["frames"]])
