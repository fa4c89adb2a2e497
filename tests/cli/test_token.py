"""`diffsync-store token`."""

from pathlib import Path

from diffsync_store.serve.identity.tokens import TokenFile
from tests.cli.conftest import CommandLine

FILE = "serve: {identity: {tokens: {file: tokens.toml}}}\n"


def test_a_token_is_printed_once_and_its_hash_is_kept(tmp_path: Path) -> None:
    (tmp_path / "syncs.yaml").write_text(FILE)
    line = CommandLine(tmp_path)
    done = line.run("token", "ci", "--role", "start")
    token = done.stdout.strip()
    assert "not shown again" in done.stderr
    assert token not in (tmp_path / "tokens.toml").read_text()
    found = TokenFile(tmp_path / "tokens.toml").identify(token)
    assert (found.name, sorted(found.roles)) == ("ci", ["read", "start"])


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    (tmp_path / "syncs.yaml").write_text("project: a\n")
    line = CommandLine(tmp_path)
    assert "names no token file" in line.run("token", "ci", "--role", "read", code=1).stderr
    assert "'admin' is not a role" in line.run("token", "ci", "--role", "admin", code=1).stderr
