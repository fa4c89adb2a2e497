"""`diffsync-flows check`."""

from collections.abc import Sized

import httpx
from prefect.exceptions import PrefectException
from prefect.settings import PREFECT_API_URL

from diffsync_flows.cli.config_file import DEFAULT_FILE, File, open_config
from diffsync_flows.cli.output import console, fail
from diffsync_flows.config.check import check_file
from diffsync_flows.config.config import Config
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.shared_redis import other_servers, server_id
from diffsync_store import ObjectStoreException
from diffsync_store.project import ConfigError


def check(*, file: File = DEFAULT_FILE) -> None:
    """Check the YAML file: every key, class and variable, and the connection to the store."""
    config = open_config(file)
    try:
        check_file(config)
        with SyncContext(config) as context:
            context.check_store()
    except ConfigError as error:
        fail(error.lines)
    _refuse_shared_redis(config)
    counts = f"{_count(config.adapters, 'adapter')}, {_count(config.syncs, 'sync')}"
    console.print(f"{file}: OK ({counts})", markup=False)


def _count(things: Sized, name: str) -> str:
    return f"{len(things)} {name}" if len(things) == 1 else f"{len(things)} {name}s"


def _refuse_shared_redis(config: Config) -> None:
    """Exit if another Prefect server uses the same project in the same Redis; skip this if Prefect does not answer."""
    if not PREFECT_API_URL.value():
        return
    try:
        with SyncContext(config) as context:
            found = list(other_servers(context, server_id()))
    except (httpx.HTTPError, PrefectException, ObjectStoreException):
        return
    if found:
        fail(found)
