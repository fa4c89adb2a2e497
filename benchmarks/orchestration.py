"""Measure the share of Prefect in a small reconcile: `python -m benchmarks.orchestration [rounds]`.

It compares a reconcile that creates 20 records with a flow that runs four empty deployments in the same order, on the same
workers and server. The two run in turns, each measured from creation to end by the server's times. The first round does not
count, because bytecode is not compiled yet.
"""

import argparse
import statistics
from datetime import datetime

from airports.demo.prefect_stack import ROOT, PrefectStack
from airports.demo.runs import children
from benchmarks.prefect_runs import run_to_completion, running_stack

CONFIG = """
store: {url: "${REDIS_URL}"}
adapters:
  source: {class: "tests.flows.systems:PlainAdapter", settings: {objects: 20}}
  target: {class: "tests.flows.systems:CountingAdapter", settings: {file: "${FOLDER}/target"}}
syncs:
  small: {source: source, target: target}
"""
EMPTY = {"source": "load", "target": "load", "diff": "diff", "sync": "sync"}


def deploy_empty(stack: PrefectStack) -> None:
    flows = {name: stack.post("/flows/", name=name)["id"] for name in ("nothing", "four")}
    for flow, name, pool in [*(("nothing", name, pool) for name, pool in EMPTY.items()), ("four", "four", "reconcile")]:
        stack.post(
            "/deployments/",
            name=name,
            flow_id=flows[flow],
            entrypoint=f"benchmarks.empty.{flow}",
            path=str(ROOT),
            pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}],
            work_pool_name=f"diffsync-{pool}",
            work_queue_name="default",
        )


def seconds(stack: PrefectStack, deployment: str) -> float:
    """Return the time from the creation of a run to its end."""
    run = run_to_completion(stack, deployment)
    steps = children(stack, run.id)
    if len(steps) != len(EMPTY):
        raise RuntimeError(f"{run.name} had {len(steps)} steps")
    created = datetime.fromisoformat(stack.get(f"/flow_runs/{run.id}")["created"])
    steps_text = ", ".join(
        f"{step.name.split()[0]} {(step.ended - step.started).total_seconds():.1f}" for step in steps
    )
    total = (run.ended - created).total_seconds()
    print(f"  {deployment}: {total:.1f} s; steps: {steps_text}", flush=True)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=7)
    rounds = parser.parse_args().rounds
    with running_stack(CONFIG) as (stack, folder):
        deploy_empty(stack)
        ours, empty = [], []
        for _ in range(rounds + 1):
            (folder / "target").unlink(missing_ok=True)
            ours.append(seconds(stack, "reconcile/small"))
            empty.append(seconds(stack, "four/four"))
    ours, empty = ours[1:], empty[1:]
    for name, found in (("reconcile", ours), ("four empty deployments", empty)):
        print(f"{name}: median {statistics.median(found):.1f} s, {min(found):.1f} to {max(found):.1f}")
    print(f"ratio of the medians: {statistics.median(ours) / statistics.median(empty):.2f}")


if __name__ == "__main__":
    main()
