from __future__ import annotations

import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from diffsync_store.diffs import DiffRecord
from diffsync_store.enum import StoreState
from diffsync_store.guards import Suppression
from diffsync_store.journal import Approval
from diffsync_store.notify import (
    Event,
    Notifier,
    approval_waits,
    load_failed,
    loaded,
    stale_syncs,
    sync_ended,
    sync_failed,
)
from diffsync_store.notify import notifier as sending
from diffsync_store.project import Project, SyncContext
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.redis import Connection, RedisNotices
from tests.http_service import DROP, HttpService
from tests.notify.conftest import MailServer, OpenContext, documents

NOW = datetime.now(UTC)
RECORD = DiffRecord(
    diff_id="diff-1",
    source_name="source",
    target_name="target",
    summary={"create": 5, "update": 3, "delete": 1200},
    operations=1208,
    elements=1208,
    created=NOW,
    ttl=60,
)
TOKEN = "T0KENT0KENT0KEN"
HOOK = "hook: {webhook: '${HOOK}'}"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_PAUSE", 0.0)


def hook(server: HttpService) -> dict[str, str]:
    return {"HOOK": f"{server.url}/hooks/{TOKEN}"}


def test_a_webhook_gets_the_totals_deletes_first_and_a_link_to_decide(
    open_context: OpenContext, web_server: HttpService
) -> None:
    context = open_context(HOOK, hook(web_server), "serve: {base_url: 'https://diffs.example.com'}\n")
    notifier = Notifier(context)
    event = approval_waits("nightly", RECORD, checksum="c", link=notifier.link_to("diff-1"))
    assert notifier.send(event) == ["hook"]
    (found,) = documents(web_server)
    totals = "1,200 delete, 3 update, 5 create"
    assert found["title"] == f"[{context.project.declared.project}] nightly waits for approval: {totals}"
    assert found["message"].splitlines() == [
        f"Totals: {totals}",
        "Diff: diff-1",
        "Decide: https://diffs.example.com/diffs/diff-1",
    ]
    assert found["event"] == "approval"
    assert list(found["counts"].items()) == [("delete", 1200), ("update", 3), ("create", 5)]
    assert found["syncs"] == ["nightly"]
    assert found["link"] == "https://diffs.example.com/diffs/diff-1"
    assert web_server.received[0].path == f"/hooks/{TOKEN}"


def test_a_webhook_gets_the_parameters_of_its_url(open_context: OpenContext, web_server: HttpService) -> None:
    """Some services sign their addresses with parameters; apprise takes those it knows for itself."""
    path = "/hooks?sig=a%2Bb%2Fc%3D&api-version=1&method=GET&empty="
    context = open_context(HOOK, {"HOOK": f"{web_server.url}{path}"})
    assert Notifier(context).send(sync_failed("nightly", "diff-1", "x")) == ["hook"]
    assert [(each.method, each.path) for each in web_server.received] == [("POST", path)]


def test_an_approval_counts_what_the_guards_let_through(open_context: OpenContext) -> None:
    held = Suppression("device", "delete", "the load is partial", "partial:device", count=1200)
    record = RECORD.model_copy(update={"suppressions": (held,)})
    waits = approval_waits("nightly", record, checksum="c")
    assert list(waits.counts.items()) == [("update", 3), ("create", 5), ("suppressed", 1200)]
    allowed = approval_waits("nightly", record, checksum="c", allow=["partial:device"])
    assert list(allowed.counts.items()) == [("delete", 1200), ("update", 3), ("create", 5)]
    assert allowed.occurrence != waits.occurrence


def test_an_approval_that_needs_another_person_is_another_event() -> None:
    given = [Approval(by=name, at=datetime.now(UTC), reason="", checksum="c") for name in ("ann", "bob")]
    events = [None, given[0], given[0], given[1].after(given[0]), given[0].after(given[1])]
    found = [approval_waits("nightly", RECORD, checksum="c", approval=each).occurrence for each in events]
    assert found[1] == found[2]
    assert found[3] == found[4]
    assert len(set(found)) == 3


@pytest.mark.parametrize(
    "url",
    [
        "mailtos://ann:pw-of%2Bann@mail.example.com?to=ops@example.com",
        "https://example.com/hooks/T0KENT0KEN?sig=S1GNATURE99",
    ],
)
def test_no_part_of_an_address_is_readable(open_context: OpenContext, url: str) -> None:
    context = open_context("hook: {url: '${HOOK}'}", {"HOOK": url})
    context.project.notify_address("hook")
    text = context.project.secrets.redact(f"{url} failed: pw-of+ann pw-of%2Bann T0KENT0KEN S1GNATURE99 at example.com")
    if "ann" in url:
        assert "pw-of" not in text
    else:
        assert "T0KENT0KEN" not in text
        assert "S1GNATURE99" not in text
    assert text.endswith("at example.com")


def test_an_event_is_sent_once_by_whoever_sends_it_first(open_context: OpenContext, web_server: HttpService) -> None:
    """Threads share one notifier, as agents and retried runs share the store."""
    context = open_context(HOOK, hook(web_server))
    notifier, together = Notifier(context), threading.Barrier(8)

    def send(_: int) -> list[str]:
        together.wait(120)
        return notifier.send(sync_failed("nightly", "diff-1", "no route"))

    with ThreadPoolExecutor(8) as pool:
        sent = [names for names in pool.map(send, range(8)) if names]
    assert sent == [["hook"]]
    assert Notifier(context).send(sync_failed("nightly", "diff-1", "no route")) == []
    assert Notifier(context).send(sync_failed("nightly", "diff-1", "another reason")) == ["hook"]
    assert Notifier(context).send(sync_failed("nightly", "diff-2", "no route")) == ["hook"]
    assert Notifier(context).send(approval_waits("nightly", RECORD, checksum="c")) == ["hook"]
    assert Notifier(context).send(approval_waits("nightly", RECORD, checksum="asked anew")) == ["hook"]
    assert len(web_server.received) == 5


def test_each_address_gets_its_events_of_its_syncs(open_context: OpenContext, web_server: HttpService) -> None:
    addresses = """all: {webhook: '${HOOK}'}
  approvers: {webhook: '${HOOK}', events: [approval]}
  of-weekly: {webhook: '${HOOK}', syncs: [weekly]}
  block: {block: slack-webhook/team}"""
    context = open_context(addresses, hook(web_server))
    notifier = Notifier(context)
    assert notifier.send(approval_waits("nightly", RECORD, checksum="c")) == ["all", "approvers"]
    assert notifier.send(sync_failed("weekly", "diff-3", "x")) == ["all", "of-weekly"]
    of_source, of_target = context.project.syncs_of("source"), context.project.syncs_of("target")
    assert notifier.send(load_failed("source", "source-1", of_source, "x")) == ["all", "of-weekly"]
    assert notifier.send(load_failed("target", "target-1", of_target, "x")) == ["all"]


def test_a_mail_has_one_subject_whatever_is_in_the_names(
    open_context: OpenContext, mail_server: tuple[MailServer, int]
) -> None:
    server, port = mail_server
    url = f"mailto://127.0.0.1:{port}?smtp=127.0.0.1&from=diffsync@example.com&to=ops@example.com&mode=insecure"
    context = open_context("mail: {url: '${MAIL}'}", {"MAIL": url})
    bad = "sw1\r\nBcc: thief@example.com\r\n\r\n\u202eexe.fdp <b>@everyone</b>" + "x" * 5000
    event = Event("failed", f"nightly\r\nBcc: thief@example.com {bad}", "1", ("nightly",), reason=bad)
    assert Notifier(context).send(event) == ["mail"]
    (mail,) = server.mails
    assert mail["Bcc"] is None
    assert mail["To"] == "ops@example.com"
    subject = mail["Subject"]
    assert subject.startswith(f"[{context.project.declared.project}] nightly\\r Bcc")
    assert len(subject) <= 150
    part = mail.get_body(("plain", "html"))
    assert part is not None
    text = part.get_content()
    assert "\\u202eexe.fdp (b)@ everyone(/b)" in text
    assert "\u202e" not in mail.as_string()
    assert len(text) < 1000


@pytest.mark.parametrize(
    ("failures", "is_sent"), [([500, DROP], True), ([500, 500, 403], False)], ids=["late", "never"]
)
def test_a_refused_message_is_tried_three_times_and_then_reported_without_secrets(
    open_context: OpenContext,
    web_server: HttpService,
    caplog: pytest.LogCaptureFixture,
    failures: list[int | str],
    is_sent: bool,
) -> None:
    caplog.set_level(logging.DEBUG)
    web_server.failures[:] = failures
    context, warnings = open_context(HOOK, hook(web_server)), list[str]()
    event = sync_failed("nightly", "diff-1", f"{web_server.url}/hooks/{TOKEN} says no")
    names = Notifier(context, warn=warnings.append).send(event)
    assert (len(web_server.received), bool(names)) == (3, is_sent)
    assert TOKEN not in caplog.text + str(warnings)
    assert TOKEN.encode() not in b"".join(request.body for request in web_server.received)
    if not is_sent:
        assert "hook was not notified that nightly is failed: NotSent: " in warnings[0]
        assert "error=403" in warnings[0]
        assert Notifier(context).send(event) == ["hook"]  # the next run tries again


@pytest.mark.parametrize(
    ("url", "reason"),
    [("nonsense://secret-secret-secret", "apprise does not know this address"), (None, "environment variable HOOK")],
)
def test_an_address_that_cannot_work_is_reported_and_fails_nothing(
    open_context: OpenContext, url: str | None, reason: str
) -> None:
    warnings: list[str] = []
    context = open_context("hook: {url: '${HOOK}'}", {"HOOK": url} if url else {})
    assert Notifier(context, warn=warnings.append).send(sync_failed("nightly", "diff-1", "x")) == []
    assert len(warnings) == 1
    assert reason in warnings[0]
    assert "secret-secret" not in warnings[0]


def test_people_are_notified_also_if_the_store_does_not_answer(tmp_path: Path, web_server: HttpService) -> None:
    file = tmp_path / "syncs.yaml"
    file.write_text(f"store: {{url: 'redis://127.0.0.1:1'}}\nnotify: {{{HOOK}}}\n", "utf-8")
    warnings: list[str] = []
    with SyncContext(Project(file, hook(web_server))) as context:
        assert Notifier(context, warn=warnings.append).send(sync_failed("nightly", "diff-1", "no store")) == ["hook"]
    assert "Cannot see whether hook was notified before" in warnings[0]


def test_what_did_all_of_its_work_is_no_event() -> None:
    store = StoreRecord(store_id="s", state=StoreState.COMPLETE, created=NOW, updated=NOW, counts={"device": 37})
    assert sync_ended("nightly", RECORD, {"created": 5, "done_before": 3}) is None
    assert loaded("source", store, ()) is None
    partial = loaded("source", store.model_copy(update={"state": StoreState.PARTIAL, "reason": "37 of 155"}), ())
    assert partial is not None
    assert (partial.kind, partial.counts, partial.reason) == ("partial_load", {"objects": 37}, "37 of 155")


@pytest.mark.parametrize(("stopped", "kind"), [("", "partial"), ("2 of 4 failed", "stopped")])
def test_a_sync_with_failures_is_partial_or_stopped(stopped: str, kind: str) -> None:
    event = sync_ended("nightly", RECORD, {"created": 5, "failed": 2, "deleted": 1}, stopped=stopped)
    assert event is not None
    assert (event.kind, list(event.counts)) == (kind, ["deleted", "created", "failed"])


def test_a_sync_is_stale_once_until_it_is_in_sync_again(open_context: OpenContext, web_server: HttpService) -> None:
    context = open_context(HOOK, hook(web_server))
    notifier = Notifier(context)

    def told(now: datetime) -> list[str]:
        return [name for event in stale_syncs(context, now=now) for name in notifier.send(event)]

    assert not told(NOW)  # it counts from here
    assert not told(NOW + timedelta(days=2))
    assert told(NOW + timedelta(days=2, seconds=1)) == ["hook"]
    assert "Never in sync since it was first looked at" in documents(web_server)[-1]["reason"]
    assert not told(NOW + timedelta(days=3))
    context.in_sync().record("source", "target", NOW + timedelta(days=3))
    context.in_sync().record("source", "target", NOW + timedelta(days=1))  # by a slower run
    assert context.in_sync().read("source", "target") == NOW + timedelta(days=3)
    assert not told(NOW + timedelta(days=5))
    assert told(NOW + timedelta(days=6, hours=2)) == ["hook"]
    assert documents(web_server)[-1]["reason"].endswith("3d2h ago.")


def test_a_dead_sender_leaves_its_event_to_the_next_one(redis_url: str, tmp_path: Path) -> None:
    connection = Connection(url=redis_url)
    notices = RedisNotices(connection, tmp_path.name)
    token = notices.claim("x")
    assert token
    assert not notices.claim("x")
    notices.release("x", "of another process")
    assert not notices.claim("x")
    assert 0 < connection.client.ttl(notices._key("x")) <= 120
    notices.release("x", token)
    assert notices.claim("x")
    connection.close()


def test_the_documents_of_a_webhook_are_json_of_plain_values(
    open_context: OpenContext, web_server: HttpService
) -> None:
    Notifier(open_context(HOOK, hook(web_server))).send(sync_failed("nightly", "diff-1", "x"))
    (found,) = documents(web_server)
    assert json.loads(json.dumps(found)) == found
    assert {"version", "title", "message", "type", "event", "project", "subject", "reason", "store_id"} <= found.keys()
