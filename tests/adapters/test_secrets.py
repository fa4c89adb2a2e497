"""No reason of a refusal contains a secret, or a part of one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from diffsync_store.adapters.powerdns.record_sets import Edit, Key
from diffsync_store.adapters.powerdns.rehearsal import ZonesNow
from diffsync_store.adapters.rest import RestAdapter
from diffsync_store.adapters.secrets import without
from diffsync_store.adapters.sql import SqlAdapter
from diffsync_store.mapping import ModelDefinition
from diffsync_store.project import Project, SyncContext
from diffsync_store.result import Reject
from tests.cli.in_process import InProcess
from tests.http_service import Answer, Request
from tests.json_api import JsonApi
from tests.rehearsing import rehearsed
from tests.targets.given import GivenAdapter, given, loaded, synced

PSK = "".join(f"psk{number:04}" for number in range(150))
PIN = "".join(f"pin{number:04}" for number in range(150))
KEY = "\n".join(f"line {number} of the very long key" for number in range(40))
MODELS: dict[str, Any] = {
    "network": ModelDefinition.model_validate(
        {
            "identifiers": {"name": "str"},
            "attributes": {"psk": "str?", "pin": {"type": "str?", "secret": True}, "note": "str?", "extra": "json?"},
        }
    )
}
RECORD = {"name": "office", "psk": PSK, "pin": PIN, "note": f"psk {PSK}", "extra": {"password": KEY, "pin": PIN}}
DESCRIBED = {
    "name": {"type": "string", "required": True},
    "psk": {"type": "choice", "choices": [{"value": "a"}]},
    "code": {"type": "integer"},
    "note": {"type": "integer"},
    "extra": {"type": "string"},
}


def has_part(text: str, secret: str, length: int = 8) -> bool:
    """Whether a text contains this many characters of a secret in a row."""
    return any(secret[start : start + length] in text for start in range(len(secret) - length + 1))


def require_no_part(rejects: Sequence[Reject]) -> str:
    [reject] = rejects
    assert not [secret[:10] for secret in (PSK, PIN, *KEY.splitlines()) if has_part(reject.reason, secret)]
    return reject.reason


@pytest.fixture
def source() -> Any:
    return given(MODELS, network=[RECORD])


@pytest.fixture
def api() -> Iterator[JsonApi]:
    with JsonApi(items="", paging="none", described=DESCRIBED) as api:
        yield api


def rest(api: JsonApi) -> RestAdapter:
    fields = {"pin": {"path": "code"}}
    records = {"network": {"from": "devices/", "fields": fields}}
    return RestAdapter({"url": api.url, "paging": {"kind": "none"}, "attempts": 1}, MODELS, records)


def test_what_an_api_would_refuse_names_no_secret(api: JsonApi, source: Any) -> None:
    target = rest(api)
    reason = require_no_part(rehearsed(source, target).result.rejects)
    target.close()
    assert "psk: The value is not a choice." in reason
    assert "code: The value is not an integer." in reason
    assert "note: 'psk ***' is not an integer." in reason
    assert "extra: {'password': '***', 'pin': '***'} is not a text." in reason


class Repeating(JsonApi):
    """Refuses each new record, and repeats what was sent."""

    status = 400

    def respond(self, request: Request) -> Answer:
        if request.method != "POST":
            return super().respond(request)
        body = json.dumps({"psk": [f"{PSK} and {PIN} are too long."], "extra": KEY}).encode()
        return Answer(self.status, {"Content-Type": "application/json"}, body)


@pytest.mark.parametrize("status", [400, 500])
def test_what_an_api_repeats_of_a_record_names_no_secret(source: Any, status: int) -> None:
    with Repeating(items="", paging="none") as api:
        api.status = status
        target = rest(api)
        assert "***" in require_no_part(synced(source, target).rejects)
        target.close()


def test_what_a_database_says_of_a_value_names_no_secret(tmp_path: Path, source: Any) -> None:
    with closing(sqlite3.connect(tmp_path / "db")) as connection, connection:
        connection.execute("create table network (name text primary key, psk integer, pin text, note text, extra json)")
    target = SqlAdapter({"url": f"sqlite:///{tmp_path / 'db'}"}, MODELS, {"network": {"from": "network"}})
    for rejects in (rehearsed(source, target).result.rejects, synced(source, target).rejects):
        assert "The column 'psk' does not accept the value" in require_no_part(rejects)
    target.close()


def test_contents_of_a_record_set_that_are_secret_are_not_shown() -> None:
    class NoRecordSets:
        def of_zone(self, zone: str) -> list[Any]:
            return []

    key = Key("z.", "a.z.", "TXT")
    for contents in ([PSK], [f'"{PSK}"', f'"{PSK}"']):
        edit = Edit(key, "create", {"ttl": 60, "records": [{"content": each} for each in contents]})
        with pytest.raises(ValueError, match="a\\.z\\. TXT") as caught:
            ZonesNow(NoRecordSets()).apply(edit, shows_contents=False)  # type: ignore[arg-type]
        assert not has_part(str(caught.value), PSK)


def test_records_that_contradict_each_other_name_no_secret() -> None:
    records = [{"name": "office", "psk": PSK, "pin": PIN}, {"name": "office", "psk": "other", "pin": PIN[:80]}]
    source = GivenAdapter({"records": {"network": records}}, MODELS, {"network": {"distinct": True}})
    [reject] = loaded(source).store.record().gaps["network"].rejects
    assert "psk differs, pin differs" in reject.reason
    assert not any(has_part(reject.reason, secret) for secret in (PSK, PIN))


@pytest.mark.parametrize("text", [PSK, PSK[:9], f"x {PSK[:300]}…", repr(PSK)[:80], f"{PSK[:20]} and {PSK[:50]}"])
def test_the_beginning_of_a_secret_is_removed(text: str) -> None:
    found = without([PSK], text)
    assert not has_part(found, PSK)
    assert "***" in found


def test_lines_are_removed_also_if_they_were_joined() -> None:
    assert not has_part(without([KEY], " ".join(KEY.split())[:500]), KEY.splitlines()[0])
    assert without(["ab", "abcdefgh"], "ab abcdefg") == "ab abcdefg"


PROJECT = """
project: {project}
store: {{url: '{redis}'}}
models:
  network: {{identifiers: {{name: str}}, attributes: {{psk: str, pin: {{type: str, secret: true}}}}}}
adapters:
  files: {{type: files, settings: {{folder: data}}, records: {{network: {{from: networks.csv}}}}}}
  api:
    type: rest
    settings: {{url: '{url}', paging: {{kind: none}}, attempts: 1}}
    records: {{network: {{from: devices/, fields: {{pin: {{path: code}}}}}}}}
syncs:
  inventory: {{source: files, target: api, rehearse: true, approval: never}}
"""


def test_the_report_of_a_rehearsal_names_no_secret(
    api: JsonApi, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DIFFSYNC_STORE_URL", raising=False)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/networks.csv").write_text(f"name,psk,pin\noffice,{PSK},{PIN}\n", "utf-8")
    text = PROJECT.format(project=tmp_path.name, redis=redis_url, url=api.url)
    (tmp_path / "syncs.yaml").write_text(text, "utf-8")
    diff_id = InProcess(tmp_path).plan()
    with SyncContext(Project(tmp_path / "syncs.yaml", {})) as context:
        report = context.diffs().open(diff_id).journal().rehearsal()
    assert report is not None
    [operation] = report.operations
    assert operation.reason == "psk: The value is not a choice. Choices are a. code: The value is not an integer."
    assert not any(has_part(report.model_dump_json(), secret) for secret in (PSK, PIN))
