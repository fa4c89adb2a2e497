"""The example of device types with Prefect: a reconcile into NetBox whose worker is killed, and the next one."""

from pathlib import Path

import pytest

from tests.conftest import SharedServers
from tests.device_types import declared, library
from tests.targets.flows import flows_of_the_example, reconcile, reconcile_with_a_killed_worker, small_library
from tests.targets.given import changes, loaded
from tests.targets.netbox.conftest import MakeNetBox
from tests.targets.netbox.server import NetBoxServer

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_killed_reconcile_is_resumed_and_the_next_one_is_empty(
    tmp_path: Path, netbox: NetBoxServer, shared_servers: SharedServers, make_adapter: MakeNetBox
) -> None:
    folder = small_library(tmp_path / "libraries")
    project = declared()
    systems = {"LIBRARY": str(folder), "NETBOX_URL": netbox.url, "NETBOX_TOKEN": netbox.token}
    redis_url = shared_servers.redis("valkey").url
    with netbox.client() as api, flows_of_the_example(tmp_path, redis_url, **systems) as stack:

        def interfaces() -> int:
            return int(api.get("dcim/interface-templates/", params={"limit": 1}).json()["count"])

        killed = reconcile_with_a_killed_worker(stack, "netbox", lambda: interfaces() > 0)
        assert killed.state == "Completed", killed
        source = loaded(library(folder))
        target = loaded(make_adapter(project["models"], project["adapters"]["netbox"]["records"]))
        assert sum(map(target.count, target.models)) == sum(map(source.count, source.models)) > 80
        assert changes(source, target) == {}
        again = reconcile(stack, "netbox")
        assert (again.state, again.summary) == ("Completed", "No difference: nothing was synced")
