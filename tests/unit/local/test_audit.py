"""The audit of packages: an advisory fails it, and a source that is away is reported."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from local import audit
from local.audit import NoAnswer, advisories, audit_packages
from local.state import free_port

PACKAGES = {"weak-package": "1.0", "sound-package": "2.0"}
ADVISORY = {
    "id": "PYSEC-0000-1",
    "modified": "2026-01-01T00:00:00Z",
    "published": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"name": "weak-package", "ecosystem": "PyPI"},
            "ranges": [
                {
                    "type": "ECOSYSTEM",
                    "events": [{"introduced": "0"}, {"fixed": "1.1"}],
                }
            ],
        }
    ],
}


class Source(BaseHTTPRequestHandler):
    """A source of advisories in the form of osv.dev, with one advisory."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = json.loads(body)["package"]["name"]
        answer = {"vulns": [ADVISORY]} if asked == "weak-package" else {}
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments: object) -> None:
        """Suppress the server's log."""


@pytest.fixture
def source() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Source)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "lock.txt"
    lines = [
        f"{name}=={version} --hash=sha256:{'0' * 64}\n"
        for name, version in PACKAGES.items()
    ]
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _one_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "SOURCES", ("osv",))


def environment(url: str, **more: str) -> dict[str, str]:
    return dict(os.environ) | {"PIP_AUDIT_OSV_URL": url} | more


def test_an_advisory_fails_the_audit(
    source: str, lock: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit_packages(lock, environment(source)) == 1
    text = capsys.readouterr().out
    assert "2 packages checked with osv" in text
    assert "weak-package 1.0: PYSEC-0000-1, fixed in 1.1" in text
    assert "sound-package" not in text


def test_without_advisories_it_passes(source: str, tmp_path: Path) -> None:
    sound = tmp_path / "lock.txt"
    sound.write_text(f"sound-package==2.0 --hash=sha256:{'0' * 64}\n")
    said = advisories("osv", sound, environment(source))
    assert (said.checked, said.found, said.unknown) == (1, [], [])
    assert audit_packages(sound, environment(source)) == 0


@pytest.mark.parametrize(("required", "code"), [({}, 0), ({"AUDIT_REQUIRED": "1"}, 1)])
def test_a_source_that_is_away_is_named(
    lock: Path,
    required: dict[str, str],
    code: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    away = environment(f"http://127.0.0.1:{free_port()}/v1/query", **required)
    assert audit_packages(lock, away) == code
    text = capsys.readouterr().out
    assert "NOT CHECKED: known weaknesses of the locked packages (pip-audit)" in text
    assert "osv: " in text
    with pytest.raises(NoAnswer):
        advisories("osv", lock, away)


def test_a_package_that_the_source_does_not_know_is_not_counted_as_checked() -> None:
    known = {"name": "a", "version": "1", "vulns": []}
    said = audit._read([known, {"name": "b", "skip_reason": "not found"}])
    assert (said.checked, said.found, said.unknown) == (1, [], ["b"])
