"""What Prefect's part of a small reconcile costs: `python -m tests.bench.orchestration [rounds]`.

A reconcile of 20 records that are created, and beside it a flow that runs four empty deployments in the same way, on the
same workers of the same server: in turns, each from its creation to its end as the server has them. The first of each is
not counted: its workers have read no bytecode yet.
"""

import argparse
import statistics
import tempfile
from datetime import datetime
from pathlib import Path

from flows.demo.prefect_stack import ROOT, PrefectStack, prefect_stack
from flows.demo.runs import children, finish, start_run
from tests.servers import RedisServer

CONFIG = """
store: {url: "${REDIS_URL}"}
adapters:
  source: {class: "tests.flows.systems:PlainAdapter", settings: {objects: 20}}
  target: {class: "tests.flows.systems:CountingAdapter", settings: {file: "${TARGET}"}}
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
            entrypoint=f"tests.bench.empty.{flow}",
            path=str(ROOT),
            pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}],
            work_pool_name=f"diffsync-{pool}",
            work_queue_name="default",
        )


def seconds(stack: PrefectStack, deployment: str) -> float:
    """From the run's creation to its end."""
    run = finish(stack, start_run(stack, deployment))
    if run.state != "Completed":
        raise RuntimeError(f"{run.name} ended {run.state}: {run.message}")
    steps = children(stack, run.id)
    if len(steps) != len(EMPTY):
        raise RuntimeError(f"{run.name} had {len(steps)} steps")
    created = datetime.fromisoformat(stack.get(f"/flow_runs/{run.id}")["created"])
    shown = ", ".join(f"{step.name.split()[0]} {(step.ended - step.began).total_seconds():.1f}" for step in steps)
    total = (run.ended - created).total_seconds()
    print(f"  {deployment}: {total:.1f} s; at work: {shown}", flush=True)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name, RedisServer("valkey") as redis:
        folder = Path(name)
        target = folder / "target"
        (folder / "syncs.yaml").write_text(CONFIG, "utf-8")
        variables = {
            "DIFFSYNC_CONFIG": str(folder / "syncs.yaml"),
            "REDIS_URL": redis.url,
            "TARGET": str(target),
        }
        pools = dict.fromkeys(("load", "diff", "sync", "reconcile"), variables)
        with prefect_stack(folder / "prefect", pools) as stack:
            deploy_empty(stack)
            ours, empty = [], []
            for _ in range(rounds + 1):
                target.unlink(missing_ok=True)
                ours.append(seconds(stack, "reconcile/small"))
                empty.append(seconds(stack, "four/four"))
    ours, empty = ours[1:], empty[1:]
    for what, found in (("reconcile", ours), ("four empty deployments", empty)):
        print(f"{what}: median {statistics.median(found):.1f} s, {min(found):.1f} to {max(found):.1f}")
    print(f"ratio of the medians: {statistics.median(ours) / statistics.median(empty):.2f}")


if __name__ == "__main__":
    main()
