"""Logging: one line of JSON for each event from either kind of logger, and no values from error texts."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import pytest
import structlog

from shared.runtime.logging import configure_logging, first_line, get_logger
from shared.spark.broker_errors import BrokerUnavailable
from tests.captured_logs import own_logs

pytestmark = pytest.mark.usefixtures("logging_restored")


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_both_kinds_of_logger_write_the_same_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging(SimpleNamespace(log_level="INFO", log_format="json"), "connector")
    get_logger("one").info("published", queue="q", count=3)
    logging.getLogger("other").warning("lost %s", "peer")
    get_logger("one").debug("not written")
    first, second = lines(capsys)
    assert (first["event"], first["queue"], first["count"], first["level"]) == (
        "published",
        "q",
        3,
        "info",
    )
    assert (second["event"], second["level"], second["logger"]) == (
        "lost peer",
        "warning",
        "other",
    )
    assert {first["service"], second["service"]} == {"connector"}
    assert str(first["timestamp"]).endswith("Z")


@pytest.mark.parametrize("kind", ["structured", "standard"])
def test_only_the_first_line_of_an_error_text_is_written(
    capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    configure_logging(SimpleNamespace(log_level="INFO", log_format="json"), "vault")
    try:
        try:
            raise KeyError("cause")
        except KeyError as cause:
            raise RuntimeError(
                "duplicate key\nDETAIL:  Key (email)=(jane@example.com)"
            ) from cause
    except RuntimeError:
        if kind == "structured":
            get_logger("one").exception("failed")
        else:
            logging.getLogger("other").exception("failed")
    text = capsys.readouterr().out
    assert "jane" not in text
    (line,) = [json.loads(one) for one in text.splitlines()]
    assert [(error["type"], error["text"]) for error in line["exception"]] == [
        ("RuntimeError", "duplicate key"),
        ("KeyError", ""),
    ]
    assert "test_logging.py" in line["exception"][0]["frames"][0]


def raised(action: Callable[[], object]) -> Exception:
    """The exception that an action raises."""
    with pytest.raises(Exception) as failed:  # noqa: PT011
        action()
    return failed.value


PERSON = "Ann Lee"


@pytest.mark.parametrize(
    "error",
    [
        raised(lambda: int(PERSON)),
        raised(lambda: {"other": 1}[PERSON]),
        raised(lambda: float(PERSON)),
        raised(lambda: PERSON.encode("latin-1").decode("utf-16")),
        raised(lambda: getattr(object(), PERSON)),
        raised(lambda: json.loads(PERSON)),
        raised(lambda: datetime.fromisoformat(PERSON)),
        raised(lambda: Path(PERSON).read_bytes()),
        asyncpg.DataError(f"invalid input for query argument $1: {PERSON!r}"),
        asyncpg.InvalidTextRepresentationError(f'invalid for integer: "{PERSON}"'),
        RuntimeError(f"it's {PERSON}"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_text_repeats_no_value(error: Exception) -> None:
    assert PERSON not in first_line(error)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (BrokerUnavailable("no answer of 'broker'"), "no answer of 'broker'"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (OSError("Multiple exceptions"), "Multiple exceptions"),
        (PermissionError(13, "Permission denied", "a.txt"), "Permission denied"),
        (RuntimeError("no running event loop"), "no running event loop"),
        (TimeoutError(), ""),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_text_without_values_stays_readable(error: Exception, text: str) -> None:
    assert first_line(error) == text


def test_console_format_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(SimpleNamespace(log_level="INFO", log_format="console"), "vault")
    get_logger("one").info("published", queue="q")
    try:
        raise ValueError("text")
    except ValueError:
        get_logger("one").exception("failed")
    text = capsys.readouterr().out
    assert "published" in text
    assert "ValueError" in text
    assert not text.startswith("{")


def test_what_is_configured_later_holds_for_loggers_in_use() -> None:
    log = get_logger("in use")
    configure_logging(SimpleNamespace(log_level="INFO", log_format="json"), "vault")
    log.info("once")
    structlog.reset_defaults()
    with own_logs() as lines:
        log.info("twice")
    assert [line["event"] for line in lines] == ["twice"]
