"""Flows without work, which start runs in the order in which other flows do."""

import asyncio
from typing import Any

from prefect import flow
from prefect.deployments.flow_runs import arun_deployment

POLL_SECONDS = 1


@flow
def nothing() -> None:
    """Do nothing."""


@flow
async def imitation(stages: list[list[dict[str, Any]]]) -> None:
    """Start the runs of each stage at the same time, and wait for them; each is a shape as `benchmarks.orchestration` makes it."""
    for stage in stages:
        await asyncio.gather(*map(run, stage))


async def run(shape: dict[str, Any]) -> None:
    parameters = {"stages": shape["stages"]} if shape["stages"] else {}
    await arun_deployment(deployment_of(shape), parameters=parameters, poll_interval=POLL_SECONDS)


def deployment_of(shape: dict[str, Any]) -> str:
    """Return the empty deployment in the work pool of a shape."""
    return f"{'imitation' if shape['stages'] else 'nothing'}/{shape['pool']}"
