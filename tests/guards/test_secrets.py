"""Secrets of models: changed as any other value, and shown nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from diffsync_store import Adapter, DiffSyncFlags, DiffSyncModel, DiffSyncStatus, LocalStore, StoredAdapter
from diffsync_store.cli.commands import app
from diffsync_store.diffs import RedisDiffs
from diffsync_store.redaction import (
    format_reason,
    is_secret_name,
    redact_credentials,
    redact_error,
    redact_text,
    redact_values,
)
from diffsync_store.store.redis import RedisStore
from diffsync_store.sync.convergence import remaining_differences
from diffsync_store.sync.reject_export import to_csv, to_json

GO_ON = DiffSyncFlags.CONTINUE_ON_FAILURE
IS_OPEN = "shown"
"""Part of every value that is no secret."""


class Peer(DiffSyncModel):
    _modelname = "peer"
    _identifiers = ("name",)
    _attributes = ("password", "snmp_community", "authKey", "psk", "options", "hops", "url", "note")
    _secrets = ("psk",)
    name: str
    password: str = ""
    snmp_community: str = ""
    authKey: str = ""  # noqa: N815  # as many an API writes it
    psk: str = ""
    options: dict[str, Any] = {}
    hops: list[dict[str, Any]] = []
    url: str = ""
    note: str = ""

    def update(self, attrs: dict[str, Any]) -> None:
        raise ValueError(f"422 {attrs} but was {self.get_attrs()}")


class Door(DiffSyncModel):
    """Whose code is both its identifier and a secret."""

    _modelname = "door"
    _identifiers = ("floor", "code")
    _secrets = ("code",)
    _children = {"lock": "locks"}
    floor: int
    code: str
    locks: list[str] = []

    @classmethod
    def create(cls, adapter: Adapter, ids: dict[str, Any], attrs: dict[str, Any]) -> None:
        raise RuntimeError(f"{adapter} has no door {ids} {attrs}")


class Lock(DiffSyncModel):
    _modelname = "lock"
    _identifiers = ("serial",)
    serial: str


class House(Adapter):
    peer = Peer
    door = Door
    lock = Lock
    top_level = ["peer", "door"]


def fill(house: House, age: str) -> None:
    secret = f"S3cret-{age}"
    with house.store.loading():
        house.add(
            Peer(
                name="as64500",
                password=secret,
                snmp_community=secret,
                authKey=secret,
                psk=secret,
                options={"user": "ann", "api-key": secret},
                hops=[{"to": f"shown-{age}", "deep": [{"passphrase": secret}]}],
                url=f"ldap://ann:{secret}@ldap/x",
                note=f"shown-{age}",
            )
        )
        door = Door(floor=1, code=f"{secret}-door")
        house.add(door)
        house.add(lock := Lock(serial=f"l-{age}"))
        door.add_child(lock)


@pytest.fixture
def stores(redis_url: str, store_id: str) -> Iterator[tuple[RedisStore, RedisStore]]:
    with ExitStack() as opened:
        found = []
        for side, age in (("source", "new"), ("target", "old")):
            store = opened.enter_context(RedisStore(url=redis_url, store_id=f"{store_id}-{side}"))
            opened.callback(store.drop)
            fill(House(side, store), age)
            found.append(store)
        yield found[0], found[1]


def test_no_surface_shows_a_secret_and_each_shows_that_it_has_changed(
    stores: tuple[RedisStore, RedisStore], redis_url: str, store_id: str
) -> None:
    source, target = (StoredAdapter(store) for store in stores)
    with closing(RedisDiffs(url=redis_url)) as diffs, capture_logs() as logs:
        saved = diffs.open(diffs.compare(source, target, store_id))
        result = saved.apply(source, House("target", stores[1]), flags=GO_ON)
        shown = {
            "logs": str(logs),
            "JSON": to_json([*result.rejects, *result.suppressed_operations]),
            "CSV": to_csv(result.rejects),
            "result": str(result),
            "reasons": "".join(entry.reason for _, entry in saved.outcomes()),
            "remaining_differences": str(
                list(remaining_differences(House("target", stores[1]).diff_from(House("source", stores[0]))))
            ),
        }
        runner = CliRunner()
        commands = (["changes", store_id], ["changes", store_id, "--json"], ["history", "peer", "as64500"])
        for command in (*commands, [*commands[2], "--json"], ["diff", *(store.store_id for store in stores)]):
            done = runner.invoke(app, ["--url", redis_url, *command])
            assert done.exit_code == 0, done.output
            shown[" ".join(command)] = done.output
        saved.drop()
    assert {place: text.count("S3cret") for place, text in shown.items()} == dict.fromkeys(shown, 0)
    assert IS_OPEN in shown["logs"]
    assert "password: *** → *** (changed)" in shown[f"changes {store_id}"].replace('"', "")
    [peer] = [
        told
        for line in shown[f"changes {store_id} --json"].splitlines()
        if (told := json.loads(line))["model"] == "peer"
    ]
    assert set(peer["changes"]["+"]) == {*Peer._attributes}
    assert peer["changes"]["+"]["options"] == {"user": "ann", "api-key": "***"}
    assert peer["changes"]["+"]["hops"] == [{"to": "shown-new", "deep": [{"passphrase": "***"}]}]
    assert peer["changes"]["+"]["url"] == "ldap://ann:***@ldap/x"


def test_a_plain_sync_logs_no_secret(redis_url: str) -> None:
    source, target = House("source"), House("target")
    fill(source, "new")
    fill(target, "old")
    with capture_logs() as logs:
        diff = target.sync_from(source, flags=GO_ON)
    assert diff.result is not None
    assert (diff.result.failed, diff.result.blocked) == (2, 1)
    assert "S3cret" not in str(logs) + str(diff.result)
    assert IS_OPEN in str(logs)
    assert "S3cret-new" in diff.str(), "the text of a diff has its values, as diffsync's has"


def test_an_error_that_ends_a_sync_has_no_secret_in_it_nor_in_its_notes_nor_in_its_cause() -> None:
    class Chained(Peer):
        def update(self, attrs: dict[str, Any]) -> None:
            error = ValueError(f"refused {attrs['psk']}", 7)
            error.add_note(f"sent {attrs['password']}")
            raise error from KeyError(attrs["psk"])

    class Hard(House):
        peer = Chained

    target, source = Hard("target"), House("source")
    fill(source, "new")
    with target.store.loading():
        target.add(Chained(name="as64500", psk="S3cret-old"))
    with pytest.raises(ValueError, match="refused") as raised:
        target.sync_from(source)
    error = raised.value
    assert (error.args, error.__notes__) == (("refused ***", 7), ["sent ***"])
    assert error.__cause__ is not None
    assert error.__cause__.args == ("***",)


def test_the_secrets_that_only_one_side_declares_are_secret_on_both() -> None:
    class Careless(Peer):
        _modelname = "peer"

    setattr(Careless, "_secrets", ())  # noqa: B010  # as a class of another library has it

    class Other(House):
        peer = Careless

    for source, target in ((House("source"), Other("target")), (Other("source"), House("target"))):
        fill(source, "new")
        fill(target, "old")
        with capture_logs() as logs:
            target.sync_from(source, flags=GO_ON)
        assert "S3cret" not in str(logs)


def test_what_an_object_says_of_its_own_status_is_logged_without_its_secrets() -> None:
    class Chatty(Peer):
        def update(self, attrs: dict[str, Any]) -> Any:
            super().update_base(attrs)
            self.set_status(DiffSyncStatus.SUCCESS, f"sent {attrs['psk']}")
            return self

    class Loud(House):
        peer = Chatty

    target, source = Loud("target"), Loud("source")
    for house, age in ((source, "new"), (target, "old")):
        with house.store.loading():
            house.add(Chatty(name="as64500", psk=f"S3cret-{age}"))
    with capture_logs() as logs:
        target.sync_from(source)
    assert [log["event"] for log in logs if log.get("status") == "success"] == ["sent ***"]
    assert "S3cret" not in str(logs)


def test_a_rejected_record_of_a_load_is_kept_without_what_its_model_declares_as_secret() -> None:
    store = LocalStore()
    house = House("house", store)
    with store.loading():
        for record in ({"name": "a", "psk": "S3cret-new"}, Peer(name="b", psk="S3cret-old")):
            with store.rejecting(Peer, "one", record):
                told = record if isinstance(record, dict) else record.model_dump()
                raise ValueError(f"no room for {told['psk']}, see https://ann:S3cret-url@host/x?token=S3cret-t")
        with store.rejecting(Peer, "https://ann:S3cret-url@host/peers/3"):
            raise ValueError("404")
    assert house.store.record().gaps["peer"].rejected == 3
    assert "S3cret" not in store.record().model_dump_json()


def test_a_load_that_failed_says_why_without_the_password_of_the_url() -> None:
    store = LocalStore()
    with pytest.raises(OSError, match="refused"), store.loading():
        raise OSError("postgres://ann:S3cret@db refused")
    assert store.record().reason == "OSError: postgres://ann:***@db refused"


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        ("psk", "is 'psk', not a tuple"),
        (("ghost",), "names 'ghost', which is not a field"),
        ((1,), "not a tuple"),
    ],
)
def test_secrets_that_name_no_field_are_refused_when_the_class_is_made(secrets: Any, said: str) -> None:
    with pytest.raises(AttributeError, match=said):
        type("Bad", (Peer,), {"__module__": __name__, "_secrets": secrets})


def test_a_subclass_adds_to_the_secrets_of_its_base() -> None:
    class Sub(Peer):
        _secrets = ("note",)

    class SubSub(Sub):
        extra: str = ""

    assert (set(Sub._secrets), set(SubSub._secrets), Peer._secrets) == ({"note", "psk"}, {"note", "psk"}, ("psk",))
    assert redact_values(SubSub, {"note": "a", "psk": "b", "name": "c"}) == {"note": "***", "psk": "***", "name": "c"}


SECRET = (
    "pwd passphrase access_key authorization psk community password secret token api_key private_key credential "
    "snmp_community snmpCommunity authKey apiKey APIKey PSK PreSharedKey pre_shared_key X-Auth-Token wpaPSK client_secret "
    "dbpassword secret_id netbox_token enable_secret passwords credentials community_string privKey accessKeyId password1 "
    "passwd_hash db_pass secretKey token_value sshKey session_cookie pass_word passPhrase user_pass_word_hash"
)  # fmt: skip
OPEN = (
    "keyboard community_id communities community_list sort_key passengers tokens_per_minute keyfile auth_type public_key "
    "key monkey compass bypass secretary tokenizer name ssh_host_key private_key_file password_path author foreign_key"
)  # fmt: skip


@pytest.mark.parametrize(("names", "is_secret"), [(SECRET, True), (OPEN, False)], ids=["secret", "open"])
def test_a_name_says_by_its_words_whether_it_holds_a_secret(names: str, is_secret: bool) -> None:
    assert [name for name in names.split() if is_secret_name(name) is not is_secret] == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://ann:p@ss/word@host:1/0 is away", "redis://ann:***@host:1/0 is away"),
        ("GET http://h/x?token=abc&page=2 failed", "GET http://h/x?token=***&page=2 failed"),
        ('sent {"password": "abcd", "x": 1}', 'sent {"password": "***", "x": 1}'),
        ("{'psk': 'abcd', 'x': 1}", "{'psk': '***', 'x': 1}"),
        ("password=hunter2; user=x", "password=***; user=x"),
        ("Authorization: Bearer abcdefghijk", "Authorization: Bearer ***"),
        ("X-Api-Key: abc\nHost: x", "X-Api-Key: ***\nHost: x"),
        ("http://host:80/path says: invalid token: none", "http://host:80/path says: invalid token: none"),
        ("see http://a/b, write to ann@b", "see http://a/b, write to ann@b"),
    ],
)
def test_credentials_are_taken_out_of_a_text(text: str, shown: str) -> None:
    assert redact_credentials(text) == shown


def test_a_value_is_secret_whose_name_stands_beside_it() -> None:
    fields: list[dict[str, Any]] = [{"name": "db_password", "value": "hunter2"}, {"key": "mtu", "value": 9000}]
    assert redact_values(None, {"fields": fields})["fields"] == [{**fields[0], "value": "***"}, fields[1]]
    assert redact_text(None, "no hunter2, no 9000", {"fields": fields}) == "no ***, no 9000"


def test_a_secret_is_found_in_a_message_however_it_is_written_there() -> None:
    secret = 'p"ä\\ss/w d'
    told = f"{secret} {secret!r} {json.dumps(secret)} p%22%C3%A4%5Css%2Fw%20d"
    assert redact_text(Peer, told, {"options": {"list": [{"password": secret}]}}) == "*** '***' \"***\" ***"
    assert format_reason(ValueError(secret), Peer, {"psk": secret}) == "ValueError: ***"
    error = ValueError(secret)
    error.__cause__ = error  # a circle ends
    redact_error(error, Peer, {"psk": secret})
    assert error.args == ("***",)
