"""Measure what flow runs cost beside empty ones: `python -m benchmarks.orchestration [--rounds 7] [DEPLOYMENT[*N] ...]`.

A run of a deployment is compared with an imitation: empty runs in the same work pools, as many as the run and the runs that it
starts, in the same order, on the same workers and server. `load/source*16` starts sixteen runs at the same time, and sixteen
imitations; `load/sharded` loads sixteen shards, and `reconcile/agents` applies its diff with four runs of the sync. Both are measured in turns, from the creation of the first
run to the end of the last one by the server's times, and as CPU time of the workers and the processes of the runs. The first round
does not count: bytecode is not compiled yet, and it shows which runs there are.
"""

import argparse
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from airports.demo.prefect_stack import POOLS, ROOT, PrefectStack
from airports.demo.runs import Run, children, finish, start_run
from benchmarks.empty import deployment_of
from benchmarks.prefect_runs import running_stack
from tests.servers import wait_until

CONFIG = """
store: {url: "${REDIS_URL}"}
adapters:
  source: {class: "tests.flows.systems:PlainAdapter", settings: {objects: 20}}
  target: {class: "tests.flows.systems:CountingAdapter", settings: {file: "${FOLDER}/target"}}
  other: {class: "tests.flows.systems:CountingAdapter", settings: {file: "${FOLDER}/other"}}
  shared: {class: "tests.flows.systems:CountingAdapter", settings: {file: "${FOLDER}/shared"}}
  sharded:
    class: "tests.flows.systems:RegionsAdapter"
    settings: {folder: "${FOLDER}/sharded"}
    shards: [s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15, s16]
syncs:
  separate: {source: source, target: target}
  together: {source: source, target: other, steps: together}
  agents: {source: source, target: shared, agents: 4}
"""
TARGETS = ("target", "other", "shared")
DEPLOYMENTS = ["reconcile/together", "reconcile/separate"]


class Cost(NamedTuple):
    """The cost of some runs, in seconds."""

    duration: float
    cpu: float


@dataclass(frozen=True)
class Load:
    """Runs of a deployment that are started at the same time."""

    deployment: str
    times: int
    parameters: Mapping[str, Any]


def parse(text: str) -> Load:
    """Parse `DEPLOYMENT` or `DEPLOYMENT*N`."""
    deployment, _, times = text.partition("*")
    return Load(deployment, int(times or 1), {})


def deploy_empty(stack: PrefectStack) -> None:
    for name in ("nothing", "imitation"):
        flow = stack.post("/flows/", name=name)["id"]
        for pool in POOLS:
            stack.post(
                "/deployments/",
                name=f"diffsync-{pool}",
                flow_id=flow,
                entrypoint=f"benchmarks.empty.{name}",
                path=str(ROOT),
                pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}],
                work_pool_name=f"diffsync-{pool}",
                work_queue_name="default",
            )


def shape_of(stack: PrefectStack, run: Run) -> dict[str, Any]:
    """Return the work pool of a run, and the runs that it started: one list for those that did not wait for each other."""
    stages: list[list[Run]] = []
    for child in children(stack, run.id):
        if stages and child.started < max(each.ended for each in stages[-1]):
            stages[-1].append(child)
        else:
            stages.append([child])
    return {"pool": run.pool, "stages": [[shape_of(stack, child) for child in stage] for stage in stages]}


def measure(stack: PrefectStack, load: Load) -> tuple[list[Run], Cost]:
    """Start the runs, and wait for them."""
    before = cpu_seconds(stack)
    started = [start_run(stack, load.deployment, **load.parameters) for _ in range(load.times)]
    runs = [finish(stack, run_id) for run_id in started]
    if failed := [run for run in runs if run.state != "Completed"]:
        raise RuntimeError("; ".join(f"{run.name} ended {run.state}: {run.message}" for run in failed))
    created = min(datetime.fromisoformat(stack.get(f"/flow_runs/{run.id}")["created"]) for run in runs)
    duration = (max(run.ended for run in runs) - created).total_seconds()
    return runs, Cost(duration, cpu_seconds(stack) - before)


def cpu_seconds(stack: PrefectStack) -> float:
    """Return the CPU time of the workers and of the processes of runs, once all of these have ended."""
    workers = [psutil.Process(worker.pid) for worker in stack.workers.values()]
    wait_until(lambda: not any(worker.children() for worker in workers), 120, "the processes of the runs have ended")
    return sum(sum(worker.cpu_times()[:4]) for worker in workers)


def compare(stack: PrefectStack, folder: Path, load: Load, rounds: int) -> None:
    """Measure a deployment beside its imitation, and print the medians."""
    ours: list[Cost] = []
    empty: list[Cost] = []
    shape = shape_of(stack, measure(stack, load)[0][0])
    imitation = Load(deployment_of(shape), load.times, {"stages": shape["stages"]} if shape["stages"] else {})
    measure(stack, imitation)
    for _ in range(rounds):
        for target in TARGETS:
            (folder / target).unlink(missing_ok=True)
        ours.append(measure(stack, load)[1])
        empty.append(measure(stack, imitation)[1])
        print(f"  {ours[-1].duration:.1f} s beside {empty[-1].duration:.1f} s", flush=True)
    count = load.times * size(shape)
    name = load.deployment if load.times == 1 else f"{load.times} times {load.deployment}"
    print(f"{name}, compared with {count} empty run{'s' if count > 1 else ''}:")
    for kind, unit in (("duration", "s"), ("cpu", "s of CPU")):
        mine, theirs = ([getattr(cost, kind) for cost in costs] for costs in (ours, empty))
        middle, base = statistics.median(mine), statistics.median(theirs)
        print(
            f"  median {middle:.1f} {unit} ({min(mine):.1f} to {max(mine):.1f}), empty {base:.1f}: ratio {middle / base:.2f}"
        )


def size(shape: dict[str, Any]) -> int:
    """Return the number of runs of a shape."""
    return 1 + sum(size(child) for stage in shape["stages"] for child in stage)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("deployments", nargs="*", type=parse, default=[parse(name) for name in DEPLOYMENTS])
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with running_stack(CONFIG) as (stack, folder):
        deploy_empty(stack)
        for load in arguments.deployments:
            compare(stack, folder, load, arguments.rounds)


if __name__ == "__main__":
    main()
