"""`diffsync-store apply` in terminals and processes: questions, approvals, interrupts, kills, two at once."""

from __future__ import annotations

import json
import re
import signal
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.cli.conftest import CommandLine, make_project
from tests.cli.terminal import Terminal
from tests.servers import RedisServer, is_gone, wait_until

pytestmark = pytest.mark.slow

SECONDS = 200.0
COUNTING = '''
"""A target that counts each call in a file, and takes 20 ms for it, or as long as the files slow and together ask for."""
import os
import time
from pathlib import Path

from diffsync_store import Adapter, DiffSyncModel

CALLS = Path(__file__).with_name("calls")
SLOW = CALLS.with_name("slow")
TOGETHER = CALLS.with_name("together")


class Item(DiffSyncModel):
    _modelname = "item"
    _identifiers = ("name",)
    _attributes = ("size",)
    name: str
    size: int = 0

    @classmethod
    def create(cls, adapter, ids, attrs):
        if ids["name"] == "refused" and not Path(__file__).with_name("allowed").exists():
            raise ValueError("the system refuses it\\x1b[31m")
        with CALLS.open("a") as file:
            file.write(ids["name"] + "\\n")
        CALLS.with_name(f"begun-{os.getpid()}").touch()
        begin = time.monotonic()
        while True:
            time.sleep(0.02)
            if not (lacks_others() or is_slow() and time.monotonic() < begin + 2):
                break
        return super().create(adapter, ids, attrs)

    @classmethod
    def lookup(cls, adapter, ids):
        return {"size": 1} if ids["name"] in calls() else None


def calls():
    return CALLS.read_text().split() if CALLS.exists() else []


def is_slow():
    try:
        return len(calls()) > int(SLOW.read_text())
    except FileNotFoundError:
        return False


def lacks_others():
    return TOGETHER.exists() and len([*CALLS.parent.glob("begun-*")]) < int(TOGETHER.read_text())


class Source(Adapter):
    item = Item
    top_level = ["item"]

    def load(self):
        for name in Path(__file__).with_name("names").read_text().split():
            self.add(Item(name=name, size=1))


class Target(Adapter):
    item = Item
    top_level = ["item"]

    def load(self):
        for name in calls():
            self.add(Item(name=name, size=1))
'''
FILE = """
adapters:
  source: {class: "counting:Source"}
  target: {class: "counting:Target"}
syncs:
  items: {source: source, target: target}
"""


@pytest.fixture
def items(tmp_path: Path) -> Iterator[CommandLine]:
    """A project with a target that counts, and 100 records to create."""
    (tmp_path / "counting.py").write_text(COUNTING, "utf-8")
    (tmp_path / "syncs.yaml").write_text(textwrap.dedent(FILE), "utf-8")
    (tmp_path / "names").write_text("\n".join(f"item-{number:03}" for number in range(100)))
    made = CommandLine(tmp_path, {"PYTHONPATH": str(tmp_path)})
    yield made
    wait_until(lambda: all(map(is_gone, made.servers())), SECONDS, "no server is left behind")


def calls(items: CommandLine) -> list[str]:
    file = items.folder / "calls"
    return file.read_text().split() if file.exists() else []


def slow_down(items: CommandLine, after: int) -> Path:
    """Let each call take two seconds after this number of calls; return the file that does it, to be removed."""
    file = items.folder / "slow"
    file.write_text(str(after))
    return file


def let_all_begin(items: CommandLine, processes: int) -> None:
    """Let no call end before this number of processes have begun one."""
    (items.folder / "together").write_text(str(processes))


def saved_plan(items: CommandLine, sync: str = "items") -> str:
    return items.run("plan", sync, "--summary", "--out").stdout.splitlines()[-1].removeprefix("diff_id: ")


def in_terminal(project: CommandLine, *words: str, columns: int = 80, **variables: str) -> Terminal:
    return Terminal(project.words(*words), project.folder, project.environment() | variables, columns=columns)


def test_the_answer_of_a_person_decides(project: CommandLine) -> None:
    with in_terminal(project, "apply", "inventory") as terminal:
        terminal.read_until("Apply these changes? [y/N]: ")
        terminal.press("n\n")
        assert terminal.wait() == 1
        assert "Nothing was applied." in terminal.plain
    with in_terminal(project, "apply", "inventory") as terminal:
        terminal.read_until("Apply these changes? [y/N]: ")
        terminal.press("\x03")
        assert terminal.wait() == 1
        assert "Nothing was applied." in terminal.plain
    assert len(project.rows()) == 2
    assert project.run("diffs").stderr == "No saved diffs.\n"
    assert project.run("stores").stderr == "No stores.\n"
    with in_terminal(project, "apply", "inventory") as terminal:
        terminal.read_until("Apply these changes? [y/N]: ")
        terminal.press("y\n")
        assert terminal.wait() == 0
        assert "Applied: 4 created, 1 updated, 1 deleted." in terminal.plain
    assert len(project.rows()) == 3


def test_colours_are_for_terminals_and_can_be_turned_off(project: CommandLine) -> None:
    with in_terminal(project, "plan", "inventory") as terminal:
        assert terminal.wait() == 0
        assert "load files" in terminal.plain
        assert "━" in terminal.plain
        assert "\x1b[32m+" in terminal.output
        assert "\x1b[31m-" in terminal.output
        plan = terminal.plain[terminal.plain.index("inventory: files") :]
        assert max(map(len, plan.split("\n"))) <= 80
    with in_terminal(project, "plan", "inventory", NO_COLOR="1") as terminal:
        assert terminal.wait() == 0
        assert not re.search(r"\x1b\[[0-9;]*3[0-9]", terminal.output)
    done = project.run("plan", "inventory")
    assert not {"\x1b", "━"} & {*done.stdout, *done.stderr}


def test_a_killed_apply_continues_exactly(items: CommandLine) -> None:
    diff_id = saved_plan(items)
    slow = slow_down(items, after=20)
    killed = items.start("apply", diff_id, "--yes")
    wait_until(lambda: len(calls(items)) > 20, SECONDS, "some records are created")
    killed.kill()
    killed.communicate(timeout=SECONDS)
    slow.unlink()
    done = len(calls(items))
    assert 20 < done < 100
    result = json.loads(items.run("apply", diff_id, "--yes", "--json").stdout)
    assert result["status"] == "applied"
    assert result["counts"]["created"] + result["counts"]["done_before"] == 100
    assert Counter(calls(items)) == {f"item-{number:03}": 1 for number in range(100)}


def test_two_applies_at_once_share_the_work(items: CommandLine) -> None:
    diff_id = saved_plan(items)
    let_all_begin(items, 2)
    first = items.start("apply", diff_id, "--yes", "--json")
    wait_until(lambda: calls(items), SECONDS, "the first one has begun")
    second = items.start("apply", diff_id, "--yes", "--json")
    outputs = [each.communicate(timeout=SECONDS) for each in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], outputs
    found = [json.loads(stdout) for stdout, _ in outputs]
    assert {document["counts"]["created"] for document in found} == {100}
    for document in found:
        assert len(document["round"]["agents"]) == 2
        assert all(agent["operations"] > 0 for agent in document["round"]["agents"])
        assert document["round"]["closed_by"]
    assert len(calls(items)) == len(set(calls(items))) == 100


def test_several_processes_apply_a_sync_and_the_result_names_them(items: CommandLine) -> None:
    let_all_begin(items, 3)
    done = items.run("apply", "items", "--yes", "--agents", "3", "--by", "ann")
    assert "Applied: 100 created" in done.stdout
    assert len(re.findall(r"ann:\d+ +ended", done.stdout)) == 3
    assert len(calls(items)) == len(set(calls(items))) == 100
    [diff_id] = re.findall(r"diff_id: (\S+)", done.stdout)
    shown = items.run("agents", diff_id).stdout
    assert "3 agents, " in shown
    assert "100 operations" in shown
    assert len(json.loads(items.run("agents", diff_id, "--json").stdout)["agents"]) == 3
    assert re.search(r"ann:\d+ +ended", items.run("show", diff_id).stdout)


def test_the_file_declares_the_number_of_processes(items: CommandLine) -> None:
    file = items.folder / "syncs.yaml"
    file.write_text(file.read_text().replace("target: target", "target: target, agents: 2"))
    let_all_begin(items, 2)
    done = json.loads(items.run("apply", "items", "--yes", "--json").stdout)
    assert len(done["round"]["agents"]) == 2
    assert done["counts"]["created"] == len(set(calls(items))) == 100
    file.write_text(file.read_text().replace("agents: 2", "agents: 0"))
    assert re.search(r"syncs.yaml:\d+:\d+: .*greater than or equal to 1", items.run("check", code=1).stderr)


def test_a_killed_process_is_taken_over_by_the_others(items: CommandLine) -> None:
    diff_id = saved_plan(items)
    slow = slow_down(items, after=20)
    started = items.start("apply", diff_id, "--yes", "--json", "--agents", "3")
    wait_until(lambda: len(calls(items)) > 20, SECONDS, "some records are created")
    children = psutil.Process(started.pid).children(recursive=True)
    [victim, *_] = [each for each in children if "spawn_main" in " ".join(each.cmdline())]
    victim.kill()
    slow.unlink()
    stdout, stderr = started.communicate(timeout=SECONDS)
    assert started.returncode == 0, stderr
    assert json.loads(stdout)["status"] == "applied"
    assert len(calls(items)) == len(set(calls(items))) == 100


def test_a_termination_ends_all_processes(items: CommandLine) -> None:
    diff_id = saved_plan(items)
    slow_down(items, after=20)
    started = items.start("apply", diff_id, "--yes", "--json", "--agents", "3")
    wait_until(lambda: len(calls(items)) > 20, SECONDS, "some records are created")
    started.send_signal(signal.SIGTERM)
    stdout, _ = started.communicate(timeout=SECONDS)
    assert started.returncode == 1
    assert json.loads(stdout)["status"] == "stopped"
    assert len(calls(items)) == len(set(calls(items))) < 100


def test_a_second_apply_continues_after_a_stopped_one(items: CommandLine) -> None:
    diff_id = saved_plan(items)
    slow = slow_down(items, after=0)
    first = items.start("apply", diff_id, "--yes")
    wait_until(lambda: calls(items), SECONDS, "it has begun")
    first.send_signal(signal.SIGSTOP)
    slow.unlink()
    result = json.loads(items.run("apply", diff_id, "--yes", "--json").stdout)
    first.kill()
    first.communicate(timeout=SECONDS)
    assert result["status"] == "applied"
    assert {agent["took_over"] for agent in result["round"]["agents"]} == {0, 1}
    assert len(calls(items)) == len(set(calls(items))) == 100


def test_another_sync_of_the_target_gives_up_after_the_wait(items: CommandLine) -> None:
    diff_id = saved_plan(items)
    slow_down(items, after=0)
    first = items.start("apply", diff_id, "--yes")
    wait_until(lambda: calls(items), SECONDS, "it has begun")
    other = items.start("apply", "items", "--yes", "--wait", "0")
    _, error = other.communicate(timeout=SECONDS)
    first.kill()
    first.communicate(timeout=SECONDS)
    assert "The lease on target 'target' is held by" in error


def test_ctrl_c_stops_after_the_running_call_and_says_how_to_continue(items: CommandLine) -> None:
    diff_id = saved_plan(items)
    slow = slow_down(items, after=10)
    with in_terminal(items, "apply", diff_id, "--yes", columns=120) as terminal:
        wait_until(lambda: len(calls(items)) > 10, SECONDS, "some records are created")
        terminal.press("\x03")
        assert terminal.wait() == 1
        assert "Stopping after the running calls." in terminal.plain
        assert f"Continue where it stopped: diffsync-store apply {diff_id}" in terminal.plain
    assert len(calls(items)) < 100
    slow.unlink()
    items.run("apply", diff_id, "--yes")
    assert len(calls(items)) == len(set(calls(items))) == 100


def test_a_termination_stops_it_in_the_same_way(items: CommandLine) -> None:
    diff_id = saved_plan(items)
    slow_down(items, after=10)
    started = items.start("apply", diff_id, "--yes", "--json")
    wait_until(lambda: len(calls(items)) > 10, SECONDS, "some records are created")
    started.send_signal(signal.SIGTERM)
    stdout, _ = started.communicate(timeout=SECONDS)
    assert started.returncode == 1
    assert json.loads(stdout)["status"] == "stopped"


def test_failures_are_listed_and_retried(items: CommandLine) -> None:
    (items.folder / "names").write_text("a refused b")
    diff_id = saved_plan(items)
    done = items.run("apply", diff_id, "--yes", code=1)
    assert "Partly applied: 2 created, 1 failed." in done.stdout
    assert "refused    ValueError: the system refuses it\\x1b[31m" in done.stdout
    assert f"diffsync-store apply {diff_id} --retry-rejected" in done.stdout
    again = items.run("apply", diff_id, "--yes", code=1).stdout
    assert "Plan: 0 to create, 0 to update, 0 to delete, 2 done before, 1 not retried." in again
    assert f"diffsync-store apply {diff_id} --retry-rejected" in again
    (items.folder / "allowed").touch()
    assert "Applied: 1 created" in items.run("apply", diff_id, "--yes", "--retry-rejected").stdout
    assert Counter(calls(items)) == {"a": 1, "refused": 1, "b": 1}


def test_the_person_who_answers_approves(tmp_path: Path) -> None:
    project = make_project(tmp_path, **{"target: database": "target: database, approval: always"})
    diff_id = saved_plan(project, "inventory")
    with in_terminal(project, "apply", diff_id, "--by", "ann") as terminal:
        terminal.read_until("Approve and apply these changes as ann? [y/N]: ")
        terminal.press("y\n")
        assert terminal.wait() == 0
    shown = project.run("show", diff_id).stdout
    assert re.search(r"approved +by ann at .*: answered the question of apply", shown)
    assert re.search(r"applied +by ann at ", shown)


def test_a_guard_suppresses_and_an_allowance_lets_through(project: CommandLine) -> None:
    (project.folder / "data/sites.csv").write_text("name,region,note,password\nams,us,old,secret-0\nbad,,,\n", "utf-8")
    (project.folder / "data/devices.csv").write_text("site,name,serial\n", "utf-8")
    plan = project.run("plan", "inventory").stdout
    assert "- site par  (suppressed, not applied)\n" in plan
    assert (
        "! The load of files is partial: 1 rejected of site:\n  - bad: ValidationError: region: Field required" in plan
    )
    assert "If they are correct, apply them once with --allow partial:site\n" in plan
    assert plan.endswith("Plan: 0 to create, 0 to update, 0 to delete, 1 suppressed.\n")
    project.run("apply", "inventory", "--yes")
    assert len(project.rows()) == 2
    assert "1 deleted" in project.run("apply", "inventory", "--yes", "--allow", "partial:site").stdout
    assert len(project.rows()) == 1


def test_the_allowances_that_a_plan_offers_let_the_whole_diff_through(tmp_path: Path) -> None:
    limits = "target: database, guards: {change_limits: {per_model: {delete: {absolute: 0, floor: 0}}}}"
    project = make_project(tmp_path, **{"target: database": limits})
    (project.folder / "data/sites.csv").write_text("name,region,note,password\nams,us,old,secret-0\nbad,,,\n", "utf-8")
    (project.folder / "data/devices.csv").write_text("site,name,serial\n", "utf-8")
    plan = project.run("plan", "inventory").stdout
    offered = re.search(r"apply them once with (.*)", plan)
    assert offered is not None
    assert offered[1] == "--allow partial:site --allow delete:1:site"
    assert "1 deleted" in project.run("apply", "inventory", "--yes", *offered[1].split()).stdout


def test_an_allowance_is_asked_about_although_the_diff_is_approved(tmp_path: Path) -> None:
    project = make_project(tmp_path, **{"target: database": "target: database, approval: always"})
    (project.folder / "data/sites.csv").write_text("name,region,note,password\nams,us,old,secret-0\nbad,,,\n", "utf-8")
    (project.folder / "data/devices.csv").write_text("site,name,serial\n", "utf-8")
    diff_id = saved_plan(project, "inventory")
    project.run("approve", diff_id, "--by", "ann")
    applied = project.run("apply", diff_id, "--yes", "--allow", "partial:site", "--by", "bob")
    assert "The approval by ann does not cover allow 'partial:site'." in applied.stderr
    assert "1 deleted" in applied.stdout
    assert re.search(r"approved +by bob at ", project.run("show", diff_id).stdout)


def test_change_limits_refuse_and_an_allowance_lets_through(tmp_path: Path) -> None:
    limits = "target: database, guards: {change_limits: {sync: {create: {absolute: 1}}}}"
    project = make_project(tmp_path, **{"target: database": limits})
    assert "Nothing was applied: the sync exceeds its change limits" in project.run("plan", "inventory").stdout
    refused = json.loads(project.run("apply", "inventory", "--yes", "--json", code=1).stdout)
    assert refused["status"] == "refused"
    assert len(project.rows()) == 2
    project.run("apply", "inventory", "--yes", "--allow", "create:4")
    assert len(project.rows()) == 3


def test_a_part_of_a_diff_is_planned_and_applied(project: CommandLine) -> None:
    assert (
        "Plan: 1 to create, 0 to update, 0 to delete, 5 suppressed."
        in project.run("plan", "inventory", "--select", "site:ber").stdout
    )
    project.run("apply", "inventory", "--yes", "--select", "site:ber")
    assert project.rows() == [("ams", "us"), ("ber", "eu"), ("par", "eu")]
    assert (
        "No operation of the diff matches model nope"
        in project.run("plan", "inventory", "--select", "nope", code=1).stderr
    )


def test_a_stale_diff_is_refused(project: CommandLine) -> None:
    first, second = saved_plan(project, "inventory"), saved_plan(project, "inventory")
    project.run("apply", second, "--yes")
    assert "is stale" in project.run("apply", first, "--yes", code=1).stderr


def test_a_redis_of_the_user_is_used_instead(project: CommandLine) -> None:
    with RedisServer("valkey", password="correct-horse") as server:
        given = CommandLine(project.folder, {"DIFFSYNC_STORE_URL": server.url})
        diff_id = saved_plan(given, "inventory")
        assert not (project.folder / ".diffsync-store").exists()
        assert diff_id in given.run("diffs").stdout
        given.run("apply", diff_id, "--yes")
    assert len(project.rows()) == 3


def test_the_folder_of_the_embedded_store_is_private_and_ignored_by_git(project: CommandLine) -> None:
    project.run("plan", "inventory", "--summary")
    folder = project.folder / ".diffsync-store"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / ".gitignore").read_text() == "*\n"


def test_files_of_one_folder_do_not_share_diffs(project: CommandLine) -> None:
    diff_id = saved_plan(project, "inventory")
    other = project.folder / "other.yaml"
    other.write_text((project.folder / "syncs.yaml").read_text())
    refused = project.run("apply", diff_id, "--yes", "--file", str(other), code=1)
    assert project.rows() == [("ams", "us"), ("par", "eu")]
    assert diff_id in refused.stderr


def test_commands_at_once_share_one_embedded_server(project: CommandLine) -> None:
    started = [project.start("plan", "inventory", "--summary") for _ in range(3)]
    wait_until(
        lambda: project.servers() or all(process.poll() is not None for process in started), SECONDS, "the server runs"
    )
    started[0].kill()
    for process in started:
        stdout, stderr = process.communicate(timeout=SECONDS)
        if process is not started[0]:
            assert process.returncode == 0, stderr
            assert stdout.endswith("Plan: 4 to create, 1 to update, 1 to delete.\n")


def test_an_error_of_an_adapter_is_one_line(items: CommandLine) -> None:
    (items.folder / "names").unlink()
    error = items.run("plan", "items", code=1).stderr.splitlines()
    assert error[0].startswith("FileNotFoundError: ")
    assert error[0].endswith("The load of source failed.")
    assert error[1:] == ["Use --traceback to see where it was raised."]


def test_a_rejected_diff_is_not_applied(project: CommandLine) -> None:
    diff_id = saved_plan(project, "inventory")
    project.run("approve", diff_id, "--by", "bob", "--reason", "wrong night", "--reject")
    assert "bob rejected this diff" in project.run("apply", diff_id, "--yes", code=1).stderr
    assert len(project.rows()) == 2
