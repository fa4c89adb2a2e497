"""The command `diffsync-store` over a real server."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from diffsync_store import Guards, StoredAdapter, StoreInUse, StoreNotFound, StoreState
from diffsync_store.cli.commands import app
from diffsync_store.diffs import RedisDiffs
from diffsync_store.enum import OperationState
from diffsync_store.exceptions import DiffNotFound, LeaseHeld
from diffsync_store.journal import Entry
from diffsync_store.retention import Retention, diff_usage, drop_store
from diffsync_store.store.redis import RedisLeases, RedisStore, RedisStores, target_lease
from diffsync_store.store.redis.keys import DiffKeys, StoreKeys
from tests.servers import RedisServer
from tests.sync.conftest import Sites
from tests.sync.systems import Network

Run = Callable[..., Result]
SECRET = "correct-horse"
ESCAPE = "s\x1b[31m<b>[red]"
"""A name with an escape sequence for terminals."""


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer("valkey", password=SECRET) as running:
        yield running


@pytest.fixture
def name(server: RedisServer) -> str:
    """Two stores, NAME-source and NAME-target, and the saved diff NAME between them."""
    made = uuid.uuid4().hex
    sites: dict[str, Sites] = {side: {f"{number}": (side, {}) for number in range(30)} for side in ("source", "target")}
    sites["source"][ESCAPE] = ("r", {})
    for side, content in sites.items():
        with closing(RedisStore(store_id=f"{made}-{side}", name=side, url=server.url)) as store, store.loading():
            Network(side, store).put(content)
    with (
        closing(RedisDiffs(url=server.url)) as diffs,
        closing(RedisStore(store_id=f"{made}-source", url=server.url)) as source,
        closing(RedisStore(store_id=f"{made}-target", url=server.url)) as target,
    ):
        diffs.compare(Network("source", source), Network("target", target), made)
    return made


@pytest.fixture
def run(server: RedisServer) -> Run:
    def invoke(*words: str, code: int = 0, **options: str) -> Result:
        result = CliRunner().invoke(app, words, env={"DIFFSYNC_STORE_URL": server.url}, **options)  # type: ignore[arg-type]
        assert result.exit_code == code, result.output
        assert SECRET not in result.output
        return result

    return invoke


def set_age(server: RedisServer, diff_id: str, age: timedelta = timedelta(days=8)) -> None:
    """Set back the creation time of a saved diff; its time to live does not change."""
    key = DiffKeys(diff_id).record
    with closing(RedisDiffs(url=server.url)) as diffs, server.client() as client:
        record = diffs.open(diff_id).record
        client.set(key, record.model_copy(update={"created": datetime.now(UTC) - age}).model_dump_json(), keepttl=True)


def test_stores_and_diffs_are_listed(run: Run, name: str) -> None:
    output = run("stores").output
    line = next(line for line in output.splitlines() if line.startswith(f"{name}-source"))
    assert line.split()[1:4] == ["source", "complete", "31"]
    assert line.split()[-4:-2] in (["6", "d"], ["7", "d"])
    assert line.endswith(("kB", "MB"))
    output = run("diffs").output
    line = next(line for line in output.splitlines() if line.startswith(name))
    assert line.split()[1:7] == ["source", "→", "target", "1", "30", "0"]
    assert "1 of " in run("stores", "--limit", "1").output


def test_the_shards_of_a_store_are_shown(run: Run, server: RedisServer, name: str) -> None:
    store_id = f"{name}-shards"
    with RedisStore(store_id=store_id, url=server.url, name="parts") as store:
        with store.loading(shard="eu", of=("eu", "us"), load="monday"):
            store.expect("site", 7)
            store.reject("site", "bad", ValueError("x"), {"name": SECRET, "password": SECRET})
        line = next(line for line in run("stores").output.splitlines() if line.startswith(store_id))
        assert "loading, 1 of 2 shards" in line
        store.seal()
        output = run("show", store_id).output
        for part in ("monday", "eu", "partial", "us", "missing", "the shard us was not loaded"):
            assert part in output
        shown = json.loads(run("show", store_id, "--json").output)
        assert [(shard["name"], shard["state"]) for shard in shown["shards"]] == [("eu", "partial"), ("us", "missing")]
        assert shown["shards"][0]["expected"] == {"site": 7}
        listed = [json.loads(line) for line in run("stores", "--json").output.splitlines()]
        assert next(each for each in listed if each["store_id"] == store_id)["state"] == "partial"
        assert json.loads(run("show", name, "--json").output)["diff_id"] == name
        store.drop()


def test_a_store_and_a_diff_are_shown(run: Run, name: str) -> None:
    output = run("show", f"{name}-target").output
    for part in ("complete", "target (Network)", "site (top level)", "region, tags", "; 7 d after the last use"):
        assert part in output
    assert "usable" in output
    output = run("show", name).output
    for part in (f"source, store {name}-source", f"target, store {name}-target", "site", "; 7 d after the last use"):
        assert part in output


def test_rejects_are_listed_with_their_reasons_and_exported(run: Run, name: str, server: RedisServer) -> None:
    assert "No rejects." in run("rejects", name).output
    states = (
        OperationState.FAILED,
        OperationState.CONFLICT,
        OperationState.BLOCKED,
        OperationState.SENT,
        OperationState.DONE,
    )
    with closing(RedisDiffs(url=server.url)) as diffs:
        saved = diffs.open(name)
        ids = [operation.id for operation in saved.operations()][-len(states) :]
        saved.journal().write({each: Entry(state, "=no \x1b room") for each, state in zip(ids, states, strict=True)})
    output = run("rejects", name, "--limit", "3").output
    assert "3 of 4 rows. Show all with --limit 4." in output
    assert "=no \\x1b room" in output
    listed = json.loads(run("rejects", name, "--json").output)
    assert [reject["state"] for reject in listed] == ["failed", "conflict", "blocked", "unknown"]
    assert [reject["operation_id"] for reject in listed] == ids[:-1]
    text = run("rejects", name, "--csv").output
    assert "\x1b" not in text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["reason"] for row in rows] == ["'=no \\x1b room"] * 4  # no spreadsheet takes it for a formula


def test_changes_are_paged_filtered_and_escaped(run: Run, name: str) -> None:
    output = run("changes", name, "--limit", "10").output
    assert "Rows 0 to 9 of 31. Show the next with --start 10." in output
    assert 'region: "target" → "source"' in output
    everything = run("changes", name, "--action", "create").output
    assert "s\\x1b[31m<b>[red]" in everything
    assert "\x1b" not in everything
    lines = run("changes", name, "--json", "--model", "site", "--id", "7").output.splitlines()
    assert [json.loads(line)["unique_id"] for line in lines] == ["7"]
    assert len(run("changes", name, "--json", "--state", "pending", "--limit", "100").output.splitlines()) == 31
    assert run("changes", name, "--json", "--state", "done").output == ""
    assert "--id requires --model" in run("changes", name, "--id", "7", code=2).output
    assert "conflict" in run("changes", name, "--state", "no-such", code=2).output
    assert run("changes", name, "--model", "sit").output == run("changes", name, "--action", "delete").output


def test_json_lines_have_the_same_content_and_are_escaped(run: Run, server: RedisServer) -> None:
    odd, made = "\x9b31m\u202e\U000e0001\\x1b é\n", uuid.uuid4().hex
    sites: dict[str, Sites] = {"source": {odd: (odd, {})}, "target": {}}
    for side, content in sites.items():
        with closing(RedisStore(store_id=f"{made}-{side}", url=server.url)) as store, store.loading():
            Network(side, store).put(content)
    output = run("diff", f"{made}-source", f"{made}-target", "--save").output
    diff_id = output.split("diff_id: ")[1].strip()
    [line] = run("changes", diff_id, "--json", "--model", "site", "--id", odd).output.splitlines()
    assert line.isprintable()
    assert json.loads(line)["unique_id"] == odd


def test_two_stores_are_compared(run: Run, name: str, server: RedisServer) -> None:
    output = run("diff", f"{name}-source", f"{name}-target", "--exit-code", code=3).output
    assert "1 create, 30 update, 0 delete" in output
    assert (
        run("diff", f"{name}-source", f"{name}-source", "--exit-code")
        .output.strip()
        .endswith("0 create, 0 update, 0 delete")
    )
    saved = run("diff", f"{name}-source", f"{name}-target", "--save").output.split("diff_id: ")[1].strip()
    with closing(RedisDiffs(url=server.url)) as diffs:
        assert diffs.open(saved).record.operations == 31


def test_the_history_of_an_object_lists_its_operations_with_their_outcome(
    run: Run, name: str, server: RedisServer
) -> None:
    """It has a row for each diff, the newest first: who applied the operation and when, whether it was suppressed, and who rejected the diff."""
    with (
        closing(RedisDiffs(url=server.url)) as diffs,
        closing(RedisStore(store_id=f"{name}-source", url=server.url)) as source,
        closing(RedisStore(store_id=f"{name}-target", url=server.url)) as target,
        closing(RedisStore(store_id=f"{name}-empty", name="empty", url=server.url)) as empty,
    ):
        with empty.loading():
            Network("empty", empty).put({})
        diffs.compare(StoredAdapter(source), StoredAdapter(target), f"{name}-rejected")
        diffs.open(f"{name}-rejected").reject(by="bob", reason="wrong night")
        diffs.compare(Network("empty", empty), Network("target", target), f"{name}-suppressed", guards=Guards())
        assert "pending" in run("history", "site", "7").output
        diffs.open(name).apply(Network("source", source), Network("target", target), by="ann")
    lines = [line for line in run("history", "site", "7").output.splitlines() if name in line]
    for line, expected in zip(
        lines,
        (
            (f"{name}-suppressed", "delete", "suppressed", "the source has no objects"),
            (f"{name}-rejected", "update", "rejected", "bob", "wrong night"),
            (f"{name} ", "update", "done", "ann", 'region: "target" → "source"'),
        ),
        strict=True,
    ):
        assert [part for part in expected if part not in line] == [], line
    output = [json.loads(line) for line in run("history", "site", "7", "--json").output.splitlines()]
    of_name = [one for one in output if one["diff_id"].startswith(name)]
    assert [(one["outcome"], one["by"]) for one in of_name] == [
        ("suppressed", ""),
        ("rejected", "bob"),
        ("done", "ann"),
    ]
    assert of_name[2]["at"] > of_name[2]["created"]
    assert of_name[2]["changes"] == {"-": {"region": "target"}, "+": {"region": "source"}}
    assert len(run("history", "site", "7", "--json", "--limit", "1").output.splitlines()) == 1


def test_an_object_without_history_is_an_error_with_a_remedy(run: Run, name: str) -> None:
    assert name
    output = run("history", "site", "no-such")
    assert output.stdout == ""
    assert "No saved diff changes the site 'no-such'" in output.stderr
    assert "`diffsync-store changes DIFF_ID --model site`" in output.stderr
    assert (
        "No saved diff changes a 'Site'. Did you mean 'site'? The saved diffs change: site."
        in run("history", "Site", "7").stderr
    )


def test_empty_lists_are_reported() -> None:
    with RedisServer("valkey") as server:
        for words, output in (
            (("stores",), "No stores."),
            (("stores", "--adapter", "x"), "No stores of x."),
            (("diffs",), "No saved diffs."),
            (
                ("history", "site", "7"),
                "No saved diff contains a change.",
            ),
            (("lease",), "No target has a lease."),
        ):
            result = CliRunner().invoke(app, words, env={"DIFFSYNC_STORE_URL": server.url})
            assert (result.exit_code, result.output) == (0, f"{output}\n")


def test_an_item_in_use_is_not_dropped(run: Run, name: str, server: RedisServer) -> None:
    output = run("drop", f"{name}-source", "--yes", code=1).stderr
    assert f"Store '{name}-source' is in use: diff {name} was made from it, and is not applied yet." in output
    run("drop", name, "--yes")
    assert "Drop " in run("drop", f"{name}-source", input="n\n", code=1).output
    run("drop", f"{name}-source", "--yes")
    with pytest.raises(StoreNotFound):
        drop_store(f"{name}-source", url=server.url)


def test_a_diff_is_not_dropped_while_a_sync_applies_it(run: Run, name: str, server: RedisServer) -> None:
    """The last heartbeat of the sync counts, not its start."""
    with closing(RedisDiffs(url=server.url)) as diffs, server.client() as client:
        saved = diffs.open(name)
        journal, writer = saved.journal(), DiffKeys(name).writer
        journal.begin("ann")
        client.hset(writer, mapping={"at": 0, "alive": 0})
        assert diff_usage(saved, datetime.now(UTC)) == ""
        journal.write({next(saved.operations()).id: Entry(OperationState.DONE)})
        set_age(server, name)
        with closing(Retention(url=server.url, stores=timedelta(days=1), diffs=timedelta(0))) as retention:
            found = {one.name: one.usage for one in retention.run()}
        assert found[name].startswith("a sync was applying it at ")
        assert f"Diff {name} is in use: a sync was applying it" in run("drop", name, "--yes", code=1).stderr
        run("drop", name, "--yes", "--force")
        with pytest.raises(DiffNotFound):
            diffs.open(name)


@pytest.mark.slow
def test_a_target_is_locked_and_unlocked_by_its_adapters_name(run: Run, name: str, server: RedisServer) -> None:
    """The name of the adapter and the name of its lease both work."""
    assert name  # a store of the adapter `target` exists
    with closing(RedisLeases(url=server.url)) as leases:
        for word in ("target", "target-target"):
            output = run("lock", word, "--reason", "upgrade", "--by", "ann")
            assert "upgrade" in output.output
            assert "Unlock it with `diffsync-store unlock target`." in output.output
            assert output.stderr == ""
            with pytest.raises(
                LeaseHeld, match=r"The lease on target 'target' is held by ann .*`diffsync-store unlock target`,"
            ):
                leases.take(target_lease("target"), "sync")
            assert "ann since" in run("lease", word).output
            assert run("lease").output.splitlines()[1].startswith("target  ann since")
            assert "Current leases: target." in run("lease", "no-such").output
            assert "Unlocked." in run("unlock", word, input="y\n").output
            output = run("unlock", word, "--yes")
            assert output.output == "Nobody holds the lease of target. No known target has a lease.\n"
        assert leases.holder(target_lease("target")) is None
    assert "No target has a lease." in run("lease").output


def test_a_store_with_its_own_lease_is_locked_and_unlocked(run: Run, name: str, server: RedisServer) -> None:
    store_id = f"{name}-target"
    with closing(RedisLeases(url=server.url)) as leases, leases.take(store_id, "by hand", owner="ann"):
        output = run("unlock", store_id, "--yes").output
        assert f"Current leases: {store_id} --store." in output
        assert (
            f"`diffsync-store unlock {store_id} --store`"
            in run("lock", store_id, "--store", "--reason", "x", code=1).stderr
        )
        assert "Unlocked." in run("unlock", store_id, "--store", "--yes").output
        assert leases.holder(store_id) is None


def test_locking_an_unknown_target_requires_force(run: Run, name: str, server: RedisServer) -> None:
    output = run("lock", "tarket", "--reason", "upgrade", code=1)
    assert (
        "No store or saved diff belongs to an adapter 'tarket'. Did you mean 'target'? Known adapters: "
        in output.stderr
    )
    assert "source, target. Nothing was locked. If the name is right, add --force." in output.stderr
    output = run("lock", f"{name}-tarket", "--store", "--reason", "upgrade", code=1)
    assert f"No store '{name}-tarket'. Did you mean '{name}-target'?" in output.stderr
    assert run("lease").output == "No target has a lease.\n"
    with closing(RedisLeases(url=server.url)) as leases:
        run("lock", "tarket", "--reason", "upgrade", "--force")
        assert leases.holder(target_lease("tarket")) is not None
        run("unlock", "tarket", "--yes")
        run("lock", "target", "--reason", "upgrade")
        assert (
            "Nobody holds the lease of tarket. Did you mean 'target'? Current leases: target."
            in run("unlock", "tarket").output
        )
        assert leases.holder(target_lease("target")) is not None
        run("unlock", "target", "--yes")


def test_the_error_of_a_misspelt_name_suggests_a_similar_one(run: Run, name: str) -> None:
    other = name[:-1]
    for words in (
        ("show", other),
        ("drop", other, "--yes"),
        ("changes", other),
        ("approve", other, "--by", "ann"),
        ("resolve", other, "00000", "--done"),
        ("diff", other, f"{name}-target"),
    ):
        assert re.search(rf" Did you mean '{name}(-\w+)?'\? `diffsync-store stores` lists", run(*words, code=1).stderr)
    assert "Did you mean 'source'?" in run("stores", "--adapter", "sorce").stderr
    assert "Did you mean 'site'?" in run("history", "sites", "1").stderr


def test_a_diff_is_approved_and_an_operation_resolved(run: Run, name: str, server: RedisServer) -> None:
    assert "Approved: 31 operations." in run("approve", name, "--by", "ann", "--reason", "CHG-1").output
    assert "by ann at" in run("show", name).output
    assert "Rejected" in run("approve", name, "--by", "bob", "--reject").output
    operation = json.loads(run("changes", name, "--json", "--limit", "1").output)["id"]
    for other, why in (("00000", "was never sent"), (operation, "was never sent")):
        assert f"Operation '{other}' of diff '{name}' {why}" in run("resolve", name, other, "--done", code=1).stderr
    with closing(RedisDiffs(url=server.url)) as diffs:
        journal = diffs.open(name).journal()
        journal.begin("ann")
        journal.write({operation: Entry(OperationState.SENT)})
    run("resolve", name, operation, "--done")
    assert len(run("changes", name, "--json", "--state", "done").output.splitlines()) == 1


def test_approve_lists_the_runs_that_wait_for_the_decision(run: Run, name: str, server: RedisServer) -> None:
    with closing(RedisDiffs(url=server.url)) as diffs:
        journal = diffs.open(name).journal()
        journal.request_approval("run-1", by=f"flow run {ESCAPE}", link="http://prefect/runs/1")
        output = run("approve", name, "--by", "ann").output
        assert (
            "A run is waiting: flow run s\\x1b[31m<b>[red] (http://prefect/runs/1). It continues automatically where"
            in output
        )
        journal.withdraw_request("run-1")
        assert "waiting" not in run("approve", name, "--by", "ann").output
        journal.request_approval("run-2", by="flow run x", seconds=3600)
        journal.request_approval("run-3", by="flow run y", seconds=0.001)
    output = run("approve", name, "--by", "bob", "--reject").output
    assert "A run is waiting: flow run x. It continues" in output
    assert "flow run y" not in output


def test_a_missing_url_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["stores"], env={"DIFFSYNC_STORE_URL": ""})
    assert (result.exit_code, result.stderr) == (
        2,
        "No Redis URL. Set DIFFSYNC_STORE_URL, or use --url, --url-file, or --file for the store of a YAML file.\n",
    )
    (tmp_path / "url").write_text("redis://127.0.0.1:1\n", "utf-8")
    result = CliRunner().invoke(app, ["--url-file", str(tmp_path / "url"), "stores"])
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "Redis store is unavailable. The URL is redis://127.0.0.1:1/0: check that Redis runs and that "
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"\xff\xfe", "is not a text in UTF-8"), (b" \n", "is empty; write the URL of the Redis into it")],
)
def test_a_file_without_a_url_is_an_error_and_not_another_redis(
    server: RedisServer, tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "url").write_bytes(content)
    variables = {"DIFFSYNC_STORE_URL": server.url, "COLUMNS": "400"}
    result = CliRunner().invoke(app, ["--url-file", str(tmp_path / "url"), "stores"], env=variables)
    assert result.exit_code == 2
    assert f"{tmp_path}/url {reason}" in result.stderr


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://ann:a@b:c@127.0.0.1:1/3?password=x@y", "redis://127.0.0.1:1/3"),
        ("redis+cluster://:hunter@127.0.0.1:1", "redis+cluster://127.0.0.1:1"),
        ("redis+sentinel://:hunter@127.0.0.1:1,[::1]:2/main/1", "redis+sentinel://127.0.0.1:1,[::1]:2/main/1"),
        ("unix://:hunter@/no/such/socket?db=1", "unix:///no/such/socket"),
    ],
)
def test_the_error_of_an_unreachable_redis_has_no_password(url: str, address: str) -> None:
    result = CliRunner().invoke(app, ["stores"], env={"DIFFSYNC_STORE_URL": url})
    assert result.exit_code == 1
    assert result.stderr.startswith(
        f"Redis store is unavailable. The URL is {address}: check that Redis runs and that "
    )
    assert result.stderr.endswith("or set another URL in DIFFSYNC_STORE_URL, --url or --url-file.\n")


def test_the_error_of_an_unknown_name_says_how_to_list_the_names(run: Run) -> None:
    lists = "`diffsync-store stores` lists the stores, `diffsync-store diffs` the saved diffs."
    for words in (("show", "no-such"), ("drop", "no-such", "--yes")):
        output = run(*words, code=1).stderr
        assert output.startswith("No store or saved diff 'no-such': it never existed, was dropped, or")
        assert lists in output
    assert lists in run("changes", "no-such", code=1).stderr
    assert lists in run("diff", "no-such", "no-such", code=1).stderr


def test_the_command_is_installed() -> None:
    command = [sys.executable, "-m", "diffsync_store.cli", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0
    for word in ("stores", "changes", "unlock", "history"):
        assert word in done.stdout


# Retention


def kept_reasons(
    server: RedisServer, name: str, *, diffs: timedelta = timedelta(0), dry_run: bool = False, waited_for: str = ""
) -> dict[str, str]:
    """Return the reason why housekeeping keeps each expired item with this name; empty if it drops the item."""
    retention = Retention(url=server.url, stores=timedelta(0), diffs=diffs, pending_approvals=[waited_for])
    with closing(retention):
        return {one.name: one.usage for one in retention.run(dry_run=dry_run) if one.name.startswith(name)}


def test_expired_items_are_dropped_unless_they_are_in_use(name: str, server: RedisServer) -> None:
    used = f"diff {name} was made from it, and is not applied yet"
    assert kept_reasons(server, name, diffs=timedelta(days=1)) == {f"{name}-source": used, f"{name}-target": used}
    set_age(server, name)
    assert kept_reasons(server, name, dry_run=True) == {name: "", f"{name}-source": "", f"{name}-target": ""}
    with closing(RedisStore(store_id=f"{name}-loading", url=server.url)) as store, store.loading():
        assert kept_reasons(server, name).get(f"{name}-loading", "").endswith(" is loading it")
    with closing(RedisDiffs(url=server.url)) as diffs, pytest.raises(DiffNotFound):
        diffs.open(name)
    with closing(RedisStores(url=server.url)) as stores:
        left = [record.store_id for record in stores.list() if record.store_id.startswith(name)]
    assert left == [f"{name}-loading"]


def test_a_diff_is_kept_for_the_time_it_was_saved_with(name: str, server: RedisServer) -> None:
    ninety = timedelta(days=90)
    with (
        closing(RedisDiffs(url=server.url, ttl=int(ninety.total_seconds()))) as diffs,
        closing(RedisStore(store_id=f"{name}-source", url=server.url)) as source,
        closing(RedisStore(store_id=f"{name}-target", url=server.url)) as target,
    ):
        diffs.compare(StoredAdapter(source), StoredAdapter(target), name)
    stores = {
        f"{name}-{side}": f"diff {name} was made from it, and is not applied yet" for side in ("source", "target")
    }
    set_age(server, name, ninety - timedelta(hours=1))
    assert kept_reasons(server, name, diffs=timedelta(days=7)) == stores
    set_age(server, name, ninety + timedelta(hours=1))
    assert kept_reasons(server, name, diffs=timedelta(days=91), dry_run=True) == stores
    assert kept_reasons(server, name, diffs=timedelta(days=7)) == {name: "", **dict.fromkeys(stores, "")}


def test_an_approved_diff_and_its_stores_are_in_use_until_it_is_completely_applied(
    run: Run, name: str, server: RedisServer
) -> None:
    set_age(server, name)
    with (
        closing(RedisDiffs(url=server.url)) as diffs,
        closing(RedisStore(store_id=f"{name}-source", url=server.url)) as source,
        closing(RedisStore(store_id=f"{name}-target", url=server.url)) as target,
        server.client() as client,
    ):
        saved = diffs.open(name)
        saved.approve(by="ann", reason="CHG-1")
        client.expire(StoreKeys(f"{name}-target").record, 60)
        found = kept_reasons(server, name)
        assert found.pop(name).startswith("ann approved it at ")
        assert set(found.values()) == {f"diff {name} was made from it, and is not applied yet"}
        assert client.ttl(StoreKeys(f"{name}-target").record) > 60
        assert f"Diff {name} is in use: ann approved it" in run("drop", name, "--yes", code=1).stderr
        saved.reject(by="bob", reason="wrong night")
        assert kept_reasons(server, name, dry_run=True)[name] == ""
        saved.approve(by="ann", reason="CHG-1")
        diffs.open(name).apply(Network("source", source), Network("target", target))
    assert kept_reasons(server, name) == {name: "", f"{name}-source": "", f"{name}-target": ""}


def test_a_diff_that_a_run_waits_for_is_in_use_and_does_not_expire(name: str, server: RedisServer) -> None:
    set_age(server, name)
    with server.client() as client:
        client.expire(DiffKeys(name).elements, 60)
        found = kept_reasons(server, name, waited_for=name)
        assert found.pop(name) == "a run waits for its approval"
        assert set(found.values()) == {f"diff {name} was made from it, and is not applied yet"}
        assert client.ttl(DiffKeys(name).elements) > 60
    assert kept_reasons(server, name, waited_for="another")[name] == ""


def test_a_diff_without_operations_does_not_keep_its_stores(name: str, server: RedisServer) -> None:
    with (
        closing(RedisDiffs(url=server.url)) as diffs,
        closing(RedisStore(store_id=f"{name}-source", url=server.url)) as source,
    ):
        diffs.compare(StoredAdapter(source), StoredAdapter(source), name)
    assert kept_reasons(server, name) == {f"{name}-source": "", f"{name}-target": ""}


def test_the_newest_complete_store_of_an_adapter_is_found(name: str, server: RedisServer) -> None:
    with closing(RedisStores(url=server.url)) as stores:
        assert stores.newest("source").store_id == f"{name}-source"
        with closing(RedisStore(store_id=f"{name}-half", name="source", url=server.url)) as half:
            half.mark(StoreState.LOADING)
            assert stores.newest("source").store_id == f"{name}-source"
        with pytest.raises(StoreNotFound, match=r"There is no complete store of 'nobody'\. Load 'nobody' first"):
            stores.newest("nobody")
        with pytest.raises(StoreInUse, match="is loading it"):
            drop_store(f"{name}-half", url=server.url)
