"""A reconcile without work: a flow run that starts four empty flow runs, each on its own worker."""

import asyncio

from prefect import flow
from prefect.deployments.flow_runs import arun_deployment

POLL_SECONDS = 1


@flow
def nothing() -> None:
    """Do nothing."""


@flow
async def four() -> None:
    """Start the runs in the order of a reconcile: two loads at the same time, then a diff, then a sync."""
    await asyncio.gather(*(run(name) for name in ("source", "target")))
    await run("diff")
    await run("sync")


async def run(name: str) -> None:
    await arun_deployment(f"nothing/{name}", poll_interval=POLL_SECONDS)
