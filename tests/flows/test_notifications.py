"""Notifications of flow runs: a web server gets them, by a webhook and by a block of Prefect."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.blocks.notifications import SlackWebhook
from prefect.blocks.system import Secret
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import SecretStr

from diffsync_flows.config.config import Config
from diffsync_flows.reporting.notification_block import NotificationBlockChannel
from diffsync_flows.runtime.context import SyncContext
from diffsync_store.notify import Message, NotSent
from diffsync_store.project import Secrets, UserError
from tests.flows.conftest import PASSWORD, Project
from tests.flows.runs import end
from tests.http_service import HttpService
from tests.servers import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]

HOOK_TOKEN, BLOCK_TOKEN = "T0KEN-OF-THE-HOOK", "T0KEN-OF-THE-BLOCK"
UI = "https://prefect.example.com"
FILE = """
store: {url: "${REDIS_URL}"}
prefect_ui: https://prefect.example.com/
adapters:
  seven: {class: "tests.flows.systems:PlainAdapter", settings: {objects: 7}}
  five: {class: "tests.flows.systems:PlainAdapter", settings: {objects: 5}}
  reviewed: {class: "tests.flows.systems:CountingAdapter", settings: {file: "${FOLDER}/reviewed"}}
  lazy: {class: "tests.flows.systems:LazyAdapter"}
  rejecting: {class: "tests.flows.systems:RejectingAdapter"}
  refusing:
    class: tests.flows.systems:RefusingAdapter
    settings: {url: "https://me:${PASSWORD}@example.invalid", file: "${FOLDER}/never"}
syncs:
  reviewed: {source: seven, target: reviewed, approval: always}
  busy: {source: refusing, target: five, steps: together, stale_after: 1d}
  lazy: {source: five, target: lazy}
  lacking: {source: rejecting, target: five}
notify:
  hook: {webhook: "${HOOK}"}
  team: {block: slack-webhook/team}
  lost: {block: slack-webhook/no-such-block, events: [failed]}
"""


def documents(service: HttpService, token: str) -> list[dict[str, Any]]:
    """Return what an address got."""
    return [json.loads(request.body) for request in list(service.received) if token in request.path]


def save_block(project: Project, url: str) -> None:
    with temporary_settings({PREFECT_API_URL: f"{project.stack.address}/api"}):
        SlackWebhook(url=SecretStr(url)).save("team", overwrite=True)


def test_runs_notify_people_by_a_webhook_and_by_a_block(project: Project, tmp_path: Path) -> None:
    config = tmp_path / "syncs.yaml"
    config.write_text(FILE, "utf-8")
    diff_id = project.compare("reviewed", "announced")
    with HttpService() as service:
        save_block(project, f"{service.url.replace('http', 'json')}/{BLOCK_TOKEN}")
        environment = {
            "DIFFSYNC_CONFIG": str(config),
            "FOLDER": str(project.folder),
            "PASSWORD": PASSWORD,
            "HOOK": f"{service.url}/{HOOK_TOKEN}",
        }
        with SyncContext(Config(config, {"REDIS_URL": project.redis.url})) as context:
            context.in_sync().record("refusing", "five", datetime.now(UTC) - timedelta(days=2))
        partial = project.run_with(environment, "load/rejecting", store_id="announced-load")
        failed = project.run_with(environment, "reconcile/busy", sync_name="busy")
        skipped = project.run_with(environment, "sync/lazy", diff_id=project.compare("lazy", "announced-lazy"))
        asking = project.start_with(environment, "sync/reviewed", diff_id=diff_id)

        def kinds() -> list[str]:
            return [found["event"] for found in documents(service, HOOK_TOKEN)]

        wait_until(
            lambda: kinds() == ["partial_load", "failed", "stale", "partial", "approval"], 240, "each is announced once"
        )
        wait_until(lambda: len(documents(service, BLOCK_TOKEN)) == 5, 240, "the block got them too")
        end(project, asking)
        load, reconcile, stale, lazy, approval = documents(service, HOOK_TOKEN)
        assert (load["subject"], load["link"]) == ("rejecting", f"{UI}/runs/flow-run/{partial.id}")
        assert (reconcile["subject"], reconcile["link"]) == ("busy", f"{UI}/runs/flow-run/{failed.id}")
        assert "refusing" in reconcile["reason"]
        assert (stale["subject"], stale["reason"][:13]) == ("busy", "Last in sync:")
        assert (lazy["subject"], lazy["counts"]) == ("lazy", {"skipped": 5})
        assert lazy["link"] == f"{UI}/runs/flow-run/{skipped.id}"
        assert (approval["subject"], approval["counts"]) == ("reviewed", {"create": 7})
        assert (approval["diff_id"], approval["link"]) == (diff_id, f"{UI}/runs/flow-run/{asking}")
        assert f"Decide: {UI}/runs/flow-run/{asking}" in documents(service, BLOCK_TOKEN)[-1]["message"]
        sent = json.dumps([documents(service, HOOK_TOKEN), documents(service, BLOCK_TOKEN)])
    runs = [partial.id, failed.id, skipped.id, asking]
    logs = {run: project.whole_log(run) for run in runs}
    assert "lost was not notified" in logs[failed.id]
    shown = [sent, logs, *map(project.artifacts, runs)]
    shown += [{**project.stack.get(f"/flow_runs/{run}"), "job_variables": None} for run in runs]
    assert not [secret for secret in (HOOK_TOKEN, BLOCK_TOKEN, PASSWORD) if secret in json.dumps(shown)]


def test_a_block_that_cannot_send_says_why_without_its_address(project: Project) -> None:
    secrets, message = Secrets(), Message("title", "body", {})
    with temporary_settings({PREFECT_API_URL: f"{project.stack.address}/api"}), HttpService(failures=[403]) as service:
        save_block(project, f"{service.url.replace('http', 'json')}/{BLOCK_TOKEN}")
        Secret(value=SecretStr("x")).save("no-notification", overwrite=True)
        with pytest.raises(NotSent, match="403") as refused:
            NotificationBlockChannel("slack-webhook/team", secrets).send(message)
        assert BLOCK_TOKEN not in str(refused.value)
        assert BLOCK_TOKEN not in secrets.redact(f"{service.url}/{BLOCK_TOKEN}")
        with pytest.raises(UserError, match="cannot notify"):
            NotificationBlockChannel("secret/no-notification", secrets).send(message)
        with pytest.raises(UserError, match="cannot read the block"):
            NotificationBlockChannel("slack-webhook/no-such-block", secrets).send(message)
