"""What a reconcile is without its work: a run that starts four runs that do nothing, each on its own worker."""

import asyncio

from prefect import flow
from prefect.deployments.flow_runs import arun_deployment

POLL_SECONDS = 1


@flow
def nothing() -> None:
    """Do nothing."""


@flow
async def four() -> None:
    """Two at the same time, then one, then one, as a reconcile has its loads, its diff and its sync."""
    await asyncio.gather(*(run(name) for name in ("source", "target")))
    await run("diff")
    await run("sync")


async def run(name: str) -> None:
    await arun_deployment(f"nothing/{name}", poll_interval=POLL_SECONDS)
