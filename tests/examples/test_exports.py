import subprocess
from pathlib import Path

import pytest

from airports.demo.__main__ import exports, variables


def test_the_printed_exports_set_all_variables_of_the_file_and_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    folder = Path("/srv/a folder")
    told = variables(folder, folder / "airports.db", "redis://127.0.0.1:6379/0")["load"]
    shell = "\n".join([*exports("http://127.0.0.1:4200/api", told), "env"])
    done = subprocess.run(["sh", "-c", shell], env={}, capture_output=True, text=True, check=True)
    shown = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert told.items() <= shown.items()
    assert shown["AIRPORT_RELEASES"] == "/srv/a folder/releases"
    assert shown["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"
    assert shown["DIFFSYNC_STORE_URL"] == shown["REDIS_URL"]


def test_a_redis_url_of_the_user_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:hunter22@host:6379")
    assert "hunter22" not in "\n".join(exports("http://x/api", {"REDIS_URL": "redis://:hunter22@host:6379"}))
