"""The field rules of a sync hold for a diff that the page makes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from starlette.testclient import TestClient

from diffsync_store.project import Project, ServeSettings, SyncContext
from diffsync_store.serve.app import create_app
from tests.redis_servers import RedisClusterServers
from tests.serve.conftest import IDENTITY, Served
from tests.serve.small_app import ORIGIN
from tests.servers import RedisServer


def test_a_diff_of_the_page_leaves_protected_values_alone(
    served: Served, tmp_path: Path, redis_server: RedisServer | RedisClusterServers
) -> None:
    changed = served.get(f"/diffs/{served.new_diff()['diff_id']}/operations", action="update")["operations"]
    assert "region" in {change["attribute"] for each in changed for change in each["changes"]}
    file = tmp_path / "syncs.yaml"
    rules = "target: database, fields: {site: {region: fill_empty}},"
    file.write_text(file.read_text("utf-8").replace("target: database,", rules), "utf-8")
    with SyncContext(Project(file, {}), redis_server.url) as context:
        app = create_app(context, ServeSettings.model_validate({"identity": IDENTITY}))
        with TestClient(app, base_url=ORIGIN, client=("127.0.0.1", 50001)) as client:
            again = replace(served, app=app, client=client, context=context)
            left = again.get(f"/diffs/{again.new_diff()['diff_id']}/operations", action="update")["operations"]
    assert "region" not in {change["attribute"] for each in left for change in each["changes"]}
