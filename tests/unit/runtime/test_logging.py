"""Logging: one JSON line an event from either kind of logger, and no values from error texts."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace

import pytest
import structlog
from structlog.testing import capture_logs

from shared.runtime.logging import configure_logging, get_logger

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
            raise ValueError(
                "duplicate key\nDETAIL:  Key (email)=(jane@example.com)"
            ) from cause
    except ValueError:
        if kind == "structured":
            get_logger("one").exception("failed")
        else:
            logging.getLogger("other").exception("failed")
    text = capsys.readouterr().out
    assert "jane" not in text
    (line,) = [json.loads(one) for one in text.splitlines()]
    assert [(error["type"], error["text"]) for error in line["exception"]] == [
        ("ValueError", "duplicate key"),
        ("KeyError", "'cause'"),
    ]
    assert "test_logging.py" in line["exception"][0]["frames"][0]


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
    with capture_logs() as lines:
        log.info("twice")
    assert [line["event"] for line in lines] == ["twice"]
