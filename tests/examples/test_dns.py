"""The example of DNS: CSV files → PostgreSQL → PowerDNS, from the command line."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import SharedServers
from tests.powerdns_server import API_KEY, PowerDnsServer

EXAMPLE = Path(__file__).parents[2] / "examples" / "dns"
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "csv-postgresql-powerdns.md"
Run = Callable[..., str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "dns"))


@pytest.fixture
def run(folder: Path, postgres_url: str, powerdns: PowerDnsServer, shared_servers: SharedServers) -> Run:
    """Run a command in the folder, and return what it prints."""
    settings = {
        "DATABASE_URL": postgres_url,
        "PDNS_URL": powerdns.url,
        "PDNS_KEY": API_KEY,
        "DIFFSYNC_STORE_URL": shared_servers.redis("valkey").url,
        "HOME": str(folder),
    }

    def run_command(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "diffsync_store.cli", *arguments],
            cwd=folder,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert API_KEY not in done.stdout + done.stderr
        return done.stdout

    return run_command


@pytest.mark.parametrize("name", ["syncs.yaml", "data/zones.csv", "data/hosts.csv"])
def test_the_page_has_the_files_that_run(name: str) -> None:
    text = PAGE.read_text("utf-8").partition(f'title="{name}"\n')[2].partition("```")[0]
    assert text
    assert (EXAMPLE / name).read_text("utf-8").endswith(text)


@pytest.mark.slow
def test_two_syncs_bring_csv_files_to_the_dns(run: Run, folder: Path, powerdns: PowerDnsServer) -> None:
    run("check")
    assert "8 to create, 0 to update, 0 to delete" in run("plan", "hosts")
    run("apply", "hosts", "--yes")
    run("check", "--connect")
    assert "7 to create" in run("plan", "dns")
    run("apply", "dns", "--yes")
    assert "No changes" in run("plan", "dns")
    assert powerdns.sets("example.org.")["www.example.org.", "A"] == ["192.0.2.10", "192.0.2.11"]
    assert powerdns.dig("www.example.net") == 1

    hosts = folder / "data" / "hosts.csv"
    hosts.write_text(
        hosts.read_text().replace("192.0.2.11", "192.0.2.12").replace("example.org,mail,192.0.2.25,\n", "")
    )
    run("apply", "hosts", "--yes")
    assert "Applied: 1 updated, 1 deleted." in run("apply", "dns", "--yes")
    assert "No changes" in run("plan", "dns")
    found = powerdns.sets("example.org.")
    assert found["www.example.org.", "A"] == ["192.0.2.10", "192.0.2.12"]
    assert ("mail.example.org.", "A") not in found
    assert found["example.org.", "NS"] == ["ns1.example.org.", "ns2.example.org."]
