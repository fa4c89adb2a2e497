"""The same deployments as a `prefect.yaml`, for people who prefer `prefect deploy`."""

import shlex
from collections.abc import Iterable
from typing import Any

import yaml

from diffsync_flows.config.schema import ANCHOR, Schedule
from diffsync_flows.deploy.deployments import ROOT, STRATEGIES, Deployment

HEADER = """\
# The deployments of syncs.yaml for `prefect deploy`; made by `diffsync-flows prefect-yaml`, not by hand. From the root of
# the project, where the workers have it too:
#
#   for pool in {pools}; do prefect work-pool create $pool --type process; done
#   prefect --no-prompt deploy --all --prefect-file deployments/prefect.yaml
#
# `diffsync-flows deploy` does the same, makes the work pools, pauses what has left the file, and sets up what Prefect has
# to do by itself: find runs that died, and start the next step of a chain.

"""


def prefect_yaml(deployments: Iterable[Deployment]) -> str:
    """The text of the file."""
    wanted = list(deployments)
    pools = " ".join(shlex.quote(pool) for pool in sorted({each.work_pool for each in wanted}))
    content = {"name": "diffsync-store", "deployments": [_entry(each) for each in wanted]}
    return HEADER.format(pools=pools) + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)


def _entry(deployment: Deployment) -> dict[str, Any]:
    content = deployment.content()
    entry: dict[str, Any] = {
        "name": deployment.name,
        "entrypoint": content["entrypoint"],
        "description": deployment.description,
        "tags": deployment.tags,
        "parameters": deployment.parameters,
        "work_pool": {
            "name": deployment.work_pool,
            "work_queue_name": content["work_queue_name"],
            "job_variables": content["job_variables"],
        },
    }
    if deployment.directory != str(ROOT):
        entry["pull"] = content["pull_steps"]
    if deployment.schedule:
        entry["schedules"] = [_schedule(deployment.schedule)]
    if deployment.overlap:
        entry["concurrency_limit"] = {"limit": 1, "collision_strategy": STRATEGIES[deployment.overlap].value}
    return entry


def _schedule(schedule: Schedule) -> dict[str, Any]:
    interval = {"interval": schedule.interval, "anchor_date": ANCHOR.isoformat()}
    when = {"cron": schedule.cron} if schedule.cron else interval
    return {**when, "timezone": schedule.timezone, "active": schedule.active}
