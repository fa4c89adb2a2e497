"""Each benchmark at a size that takes seconds, on real servers, with this library only."""

import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

import benchmarks
from benchmarks import bare, checks, children, claims, compare, conditions, growth, limit, records, scale, table
from benchmarks.__main__ import PARTS, main, measure, parse
from benchmarks.process import Bench, empty, used_memory
from benchmarks.results import OURS, THEIRS, Result, best
from benchmarks.slow_proxy import SlowProxy
from tests.servers import RedisServer

OBJECTS = 200
BENCH = Bench(rounds=1, timeout=200)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize(("store", "steps"), [("local", "load diff sync"), ("redis", "load diff get_all sync")])
def test_each_step_measures_and_finds_the_expected_data(store: str, steps: str) -> None:
    results = list(compare.results(BENCH, OBJECTS, [store], [OURS]))
    assert [result["step"] for result in results] == steps.split()
    assert checks.find_errors(results) == []
    assert all(result["seconds"] > 0 and result["peak_rss"] > 2**20 for result in results)
    for key in ("commands", "round_trips", "network_bytes"):
        assert all((result.get(key, 0) > 0) == (store == "redis") for result in results)


@pytest.mark.slow
def test_limit_measures_build_load_and_bare_pipeline() -> None:
    results = list(limit.results(replace(BENCH, rounds=3), OBJECTS))
    assert [result["step"] for result in results] == ["build", "load", "bare"]
    assert checks.find_errors(results) == []
    assert limit.relative_cost(*results) > 0
    micros, times = limit.client_cost(*results)
    assert micros > 0
    assert times > 0


@pytest.mark.slow
def test_load_and_diff_are_measured_with_and_without_other_keys() -> None:
    results = list(conditions.neighbours(BENCH, OBJECTS, 1000))
    assert len(results) == 4
    assert checks.find_errors(results) == []
    assert [claim.text for claim in claims.claims(results)] == [
        "load worker, 200 objects: among other keys (1,000), compared with alone",
        "diff worker, 200 objects: among other keys (1,000), compared with alone",
    ]


@pytest.mark.slow
def test_load_and_diff_are_measured_with_and_without_latency() -> None:
    results = list(conditions.latency(BENCH, OBJECTS))
    assert checks.find_errors(results) == []
    assert len(list(claims.claims(results))) == 2


@pytest.mark.slow
def test_children_are_measured_in_both_stores() -> None:
    results = list(children.results(BENCH, 100, ["local", "redis"]))
    assert checks.find_errors(results) == []
    assert all(0 < result["call_seconds"] < result["seconds"] for result in results)


@pytest.mark.slow
def test_an_in_memory_diff_is_measured_at_two_sizes() -> None:
    results = list(growth.results(BENCH, OBJECTS))
    assert checks.find_errors(results) == []
    assert [result["objects"] for result in results] == [OBJECTS, growth.TIMES * OBJECTS]
    [claim] = claims.claims(results)
    assert claim.text == "diff, flat, LocalStore, 800 objects: compared with 200 objects"
    assert claim.goal == 1.5 * growth.TIMES


@pytest.mark.slow
def test_workers_are_measured_at_two_sizes_of_each_shape() -> None:
    results = list(scale.results(BENCH, OBJECTS, 10 * OBJECTS, ["redis"], [OURS]))
    assert checks.find_errors(results) == []
    assert len(results) == 2 * 2 * len(records.SHAPES)
    assert len(list(claims.claims(results))) == 5 * len(records.SHAPES)
    assert all(result["redis_memory"] > 0 for result in results if result["step"] == "load_worker")


OURS_ONLY = ["--libraries", OURS, "--rounds", "1"]
COMMANDS = {
    "agents": ["--operations", "40", "--agents", "2"],
    "compare": ["200", *OURS_ONLY, "--stores", "local"],
    "limit": ["2000", "--rounds", "1", "--shape", "flat", "--profile"],
    "conditions": ["200", *OURS_ONLY],
    "children": ["--children", "70", *OURS_ONLY],
    "growth": ["200", *OURS_ONLY],
    "scale": ["200", *OURS_ONLY, "--stores", "redis"],
    "guards": ["10", "42", "--rounds", "1", "--no-calls"],
    "calls": ["2", "--no-airports"],
    "diffs": ["2000", "20", "--rounds", "1"],
    "distance": [],
    "mapping": ["2000"],
    "memory": [],
    "orchestration": ["--rounds", "1", "reconcile/together"],
    "pages": ["20", "--rounds", "1"],
    "review_page": ["200"],
    "shards": ["1980", "--shards", "2", "--compare", "--shape", "tree"],
    "sql": ["200", "--on", "sqlite"],
}
"""Each benchmark command, with the arguments for its smallest size."""
ELSEWHERE = {"targets"}
"""Commands that have a test beside the servers that they need, which take a minute to start."""
MARKS = {"orchestration": [pytest.mark.prefect], "pages": [pytest.mark.prefect, pytest.mark.browser]}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [pytest.param(name, marks=MARKS.get(name, [])) for name in COMMANDS])
def test_each_benchmark_runs_at_its_smallest_size(name: str, tmp_path: Path) -> None:
    out = ["--out", str(tmp_path)] if "--libraries" in COMMANDS[name] else []
    run = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *COMMANDS[name], *out],
        capture_output=True,
        text=True,
        timeout=880,
        check=False,
        cwd=Path(__file__).parents[1],
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout


def test_every_benchmark_command_has_a_test_and_a_line_in_the_readme() -> None:
    folder = Path(benchmarks.__file__).parent
    commands = {path.stem for path in folder.glob("*.py") if 'if __name__ == "__main__"' in path.read_text("utf-8")}
    assert commands == {*COMMANDS, *ELSEWHERE, "__main__", "driver", "slow_proxy"}  # the others start the last two
    readme = (folder / "README.md").read_text("utf-8")
    assert all(f"python -m benchmarks.{name}" in readme for name in {*COMMANDS, *ELSEWHERE})


def test_a_step_that_does_not_fit_into_memory_is_skipped_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "free_memory", lambda: 2**30)
    [result] = scale.results(BENCH, 100_000, 1_000_000, ["local"], [OURS])
    assert result["skipped"] == "1.0 GiB of memory is free, 12.0 GiB is required"
    assert checks.find_errors([result]) == []
    assert list(claims.claims([result])) == []


@pytest.mark.slow
def test_results_are_printed_and_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["200", "--parts", "children", "--children", "70", "--rounds", "1", "--out", str(tmp_path)])
    assert ended.value.code is None
    output = capsys.readouterr().out
    assert "70 children diffsync_store redis tree add_child: " in output
    assert "add_child, 70 calls for one parent in LocalStore" in output
    [lines] = tmp_path.glob("*.jsonl")
    assert len(lines.read_text("utf-8").splitlines()) == 2


def test_only_selected_parts_and_libraries_are_measured() -> None:
    assert parse([]).parts == list(PARTS)
    assert parse(["--parts", "limit", "scale"]).parts == ["limit", "scale"]
    theirs = Namespace(**{**vars(parse([])), "libraries": [THEIRS], "parts": ["limit", "children"]})
    assert list(measure(BENCH, theirs)) == []


# The data


def test_a_tenth_of_the_changes_is_missing_and_a_tenth_is_new() -> None:
    expected = {"create": 2, "update": 16, "delete": 2, "no-change": 1982, "skip": 0}
    assert records.summary("tree", 2000, 20) == expected
    assert records.summary("flat", 2000, 20) == expected
    assert records.count("tree", 2000, 20) == records.count("tree", 2000, 0) == 2000


@pytest.mark.parametrize("shape", records.SHAPES)
@pytest.mark.parametrize("objects", [100_000, 1_000_000])
def test_the_number_of_changes_is_the_requested_one(shape: str, objects: int) -> None:
    summary = records.summary(shape, objects, 1000)
    assert summary["create"] + summary["update"] + summary["delete"] == 1000


# The bare pipeline


def test_keys_of_every_type_are_written_as_they_were_read(server: RedisServer) -> None:
    with RedisServer() as other, server.client() as client, other.client() as empty:
        many = range(bare.PAIRS * bare.COMMANDS + 1)
        client.hset("hash", mapping={str(number): f"{number}" for number in many})
        client.zadd("zset", {str(number): number + 0.5 * (number % 2) for number in many})
        client.sadd("set", *many)
        client.rpush("list", *many)
        client.set("string", b"\x00\xff")
        keys = ["hash", "zset", "set", "list", "string"]
        content = bare.read_back(client, [*keys, "none"])
        assert list(content) == keys
        bare.write(empty, content)
        assert bare.read_back(empty, keys) == content
        assert empty.zscore("zset", "3") == 3.5
        client.delete(*keys)


# The slow proxy


@pytest.mark.slow
def test_each_round_trip_is_delayed(server: RedisServer) -> None:
    with SlowProxy(server.port, 0.5) as proxy, redis.Redis.from_url(proxy.url) as client:
        client.ping()
        start = time.perf_counter()
        for _ in range(4):
            client.ping()
        assert 2 <= time.perf_counter() - start < 60


@pytest.mark.slow
def test_delays_of_pipelined_answers_overlap(server: RedisServer) -> None:
    with SlowProxy(server.port, 2) as proxy, redis.Redis.from_url(proxy.url) as client:
        value = b"x" * 2**20
        client.set("large", value)
        pipeline = client.pipeline(transaction=False)
        for _ in range(30):
            pipeline.get("large")
        start = time.perf_counter()
        assert pipeline.execute() == [value] * 30
        assert 2 <= time.perf_counter() - start < 55  # in sequence, the delays alone would take 60 seconds
        client.delete("large")


# Claims and the table


def result(library: str = OURS, **more: Any) -> Result:
    names = {"part": "compare", "objects": 100, "changed": 1, "store": "redis", "shape": "tree", "condition": ""}
    return {"library": library, **names, **more}


def claims_of(*results: Result) -> dict[str, claims.Claim]:
    return {claim.text: claim for claim in claims.claims(results)}


def test_a_goal_is_a_minimum_or_a_maximum() -> None:
    assert claims.Claim("diff", measured=100, goal=100, unit="x faster", at_least=True).is_reached
    assert not claims.Claim("diff", measured=99, goal=100, unit="x faster", at_least=True).is_reached
    assert claims.Claim("load", measured=1.5, goal=1.5, unit="x its time").is_reached
    assert not claims.Claim("load", measured=1.6, goal=1.5, unit="x its time").is_reached


def test_each_store_has_goals_relative_to_diffsync() -> None:
    found = claims_of(
        result(step="load", seconds=1, redis_memory=90),
        result(THEIRS, step="load", seconds=13, redis_memory=100),
        result(THEIRS, step="load", store="local", seconds=0.5),
    )
    assert [(claim.text, claim.measured, claim.is_reached) for claim in found.values()] == [
        ("load, 100 objects: RedisStore compared with diffsync's RedisStore", 13, True),
        ("load, 100 objects: RedisStore compared with diffsync's LocalStore", 2, False),
        ("Redis memory, 100 objects: compared with diffsync's", 0.9, True),
    ]


def test_claims_use_the_largest_size() -> None:
    sizes = ((10, 1), (1000, 3), (100, 2))
    ours = [result(step="diff", objects=objects, seconds=seconds) for objects, seconds in sizes]
    theirs = [result(THEIRS, step="diff", objects=objects, seconds=300) for objects, _ in sizes]
    assert (
        claims_of(*ours, *theirs)["diff, 1,000 objects: RedisStore compared with diffsync's RedisStore"].measured == 100
    )


def test_the_cost_of_a_store_is_a_multiple_of_the_bare_pipeline() -> None:
    steps = {"build": 1, "load": 2.5, "bare": 0.5}
    results = [
        result(part="limit", step=step, seconds=seconds, cpu_seconds=seconds / 1000) for step, seconds in steps.items()
    ]
    assert [(claim.measured, claim.is_reached) for claim in claims.claims(results)] == [
        (3, False),
        (pytest.approx(15), False),
        (pytest.approx(3), False),
    ]


def test_the_table_of_claims_shows_which_are_reached() -> None:
    slow = claims.Claim("fast", measured=1, goal=2, unit="x faster", at_least=True)
    view = claims.table([claims.Claim("few bytes", measured=1.25, goal=2, unit="MB"), slow])
    assert [list(column.cells) for column in view.columns] == [
        ["few bytes", "fast"],
        ["1.25 MB", "1.00 x faster"],
        ["at most 2", "at least 2"],
        ["yes", "no"],
    ]


def test_a_cell_shows_both_values_and_the_ratio() -> None:
    assert table.cell(table.MEASURES[0], {"seconds": 0.5}, {"seconds": 2.0}) == "0.50 / 2.00 (4.0x)"


def test_a_cell_shows_a_dash_for_a_missing_value() -> None:
    assert table.cell(table.MEASURES[0], {"seconds": 0.5}, {}) == "0.50"
    assert table.cell(table.MEASURES[0], {}, {"seconds": 0.5}) == "- / 0.50"
    assert table.cell(table.MEASURES[0], {}, {}) == ""


def test_the_table_has_a_row_for_each_measured_step() -> None:
    rows = [result(step="diff", seconds=1.0), result(THEIRS, step="diff", seconds=2.0)]
    view = table.table([*rows, result(part="latency", step="diff_worker", condition="proxy", seconds=1.0)])
    assert view.row_count == 2
    assert list(view.columns[0].cells) == ["diff", "diff worker, proxy"]


def test_the_best_round_counts_and_the_seconds_of_all_are_kept() -> None:
    rounds = [result(seconds=2.0), result(seconds=1.0), result(seconds=3.0)]
    assert best(rounds) == {**rounds[1], "all_seconds": [2.0, 1.0, 3.0]}


def test_a_slow_round_is_the_last_one() -> None:
    seconds = iter([1.0, 5.0, 1.0])
    found = Bench(rounds=3).best(lambda: {"seconds": next(seconds)}, enough=4.0)
    assert found["all_seconds"] == [1.0, 5.0]


def test_emptying_the_server_frees_its_memory(server: RedisServer) -> None:
    before = used_memory(server)
    with server.client() as client:
        client.mset({f"key {number}": "x" * 100 for number in range(100_000)})
    assert used_memory(server) > before + 10_000_000
    empty(server)
    assert used_memory(server) < before + 2_000_000


# Wrong results


def test_different_results_of_the_two_libraries_are_reported() -> None:
    results = [result(step="diff", summary={"create": 1}), result(THEIRS, step="diff", summary={"create": 2})]
    assert len(checks.disagreements(results)) == 1
    assert checks.disagreements([results[0], {**results[1], "summary": {"create": 1}}]) == []


def test_a_result_that_differs_from_the_known_data_is_reported() -> None:
    summary = records.summary("tree", 100, 1)
    assert list(checks.wrong_results(result(step="diff", summary=summary))) == []
    assert list(checks.wrong_results(result(step="diff", summary={**summary, "create": 5}))) != []
    assert list(checks.wrong_results(result(step="load", found=99, changed=0))) == [
        "diffsync_store compare redis load of 100: expected 100 objects, got 99"
    ]
    assert list(checks.wrong_results(result(step="add_child", found=99))) != []
    assert list(checks.wrong_results(result(step="sync", summary=summary, left=1))) != []
