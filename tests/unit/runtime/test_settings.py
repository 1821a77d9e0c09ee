"""Settings: constructor before environment before secret files."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from shared.runtime.settings import RuntimeSettings


class SampleSettings(RuntimeSettings):
    model_config = SettingsConfigDict(env_prefix="SAMPLE_")

    password: SecretStr = SecretStr("default")
    vaults: tuple[dict[str, str], ...] = ()


def test_defaults() -> None:
    settings = SampleSettings()
    assert (settings.port, settings.log_level, settings.log_format) == (
        8080,
        "INFO",
        "json",
    )


def test_environment_and_secret_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sample_password").write_text("from file\n")
    (tmp_path / "sample_port").write_text("1")
    (tmp_path / "sample_vaults").write_text('[{"name": "crm"}]')
    monkeypatch.setenv("SECRETS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("SAMPLE_PORT", "9000")
    settings = SampleSettings(host="127.0.0.1")
    assert settings.password.get_secret_value() == "from file"
    assert settings.port == 9000
    assert settings.host == "127.0.0.1"
    assert settings.vaults == ({"name": "crm"},)


def test_an_error_does_not_repeat_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_PORT", "hunter2")
    with pytest.raises(ValidationError) as caught:
        SampleSettings()
    assert "hunter2" not in str(caught.value)
