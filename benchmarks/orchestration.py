"""What Prefect's part of a small reconcile costs: `python -m benchmarks.orchestration [rounds]`.

A reconcile of 20 records that are created, and beside it a flow that runs four empty deployments in the same way, on the
same workers of the same server: in turns, each from its creation to its end as the server has them. The first of each is
not counted: its workers have read no bytecode yet.
"""

import argparse
import statistics
from datetime import datetime

from airports.demo.prefect_stack import ROOT, PrefectStack
from airports.demo.runs import children
from benchmarks.prefect_runs import finished, stack_over

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
    """From the run's creation to its end."""
    run = finished(stack, deployment)
    steps = children(stack, run.id)
    if len(steps) != len(EMPTY):
        raise RuntimeError(f"{run.name} had {len(steps)} steps")
    created = datetime.fromisoformat(stack.get(f"/flow_runs/{run.id}")["created"])
    shown = ", ".join(f"{step.name.split()[0]} {(step.ended - step.started).total_seconds():.1f}" for step in steps)
    total = (run.ended - created).total_seconds()
    print(f"  {deployment}: {total:.1f} s; at work: {shown}", flush=True)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=7)
    rounds = parser.parse_args().rounds
    with stack_over(CONFIG) as (stack, folder):
        deploy_empty(stack)
        ours, empty = [], []
        for _ in range(rounds + 1):
            (folder / "target").unlink(missing_ok=True)
            ours.append(seconds(stack, "reconcile/small"))
            empty.append(seconds(stack, "four/four"))
    ours, empty = ours[1:], empty[1:]
    for what, found in (("reconcile", ours), ("four empty deployments", empty)):
        print(f"{what}: median {statistics.median(found):.1f} s, {min(found):.1f} to {max(found):.1f}")
    print(f"ratio of the medians: {statistics.median(ours) / statistics.median(empty):.2f}")


if __name__ == "__main__":
    main()
