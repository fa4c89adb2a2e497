"""Against a real PowerDNS."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from diffsync_store import DiffSyncFlags, StoreState, Sync, SyncOptions
from diffsync_store.adapters.http import HttpClient, HttpError
from diffsync_store.adapters.mapped import Change, MappedAdapter
from diffsync_store.adapters.powerdns import PowerDnsAdapter
from diffsync_store.exceptions import ObjectNotUpdated
from diffsync_store.mapping import Mapper, ModelDefinition
from diffsync_store.mapping.paths import Record
from tests.powerdns_server import API_KEY, PowerDnsServer

MODELS = {
    name: ModelDefinition.model_validate(definition)
    for name, definition in {
        "zone": {"identifiers": {"name": "str"}, "attributes": {"kind": "str?"}},
        "record_set": {
            "identifiers": {"zone": "str", "name": "str", "type": "str"},
            "attributes": {"ttl": "int?", "records": {"type": "list[str]", "compare": "unordered"}},
            "references": {"zone": {"model": "zone", "fields": {"name": "zone"}}},
        },
    }.items()
}
MAPPINGS: dict[str, dict[str, Any]] = {"zone": {"from": "zones"}, "record_set": {"from": "rrsets"}}
ZONE = "example.org."

Make = Callable[..., PowerDnsAdapter]


class Given(MappedAdapter):
    """Reads the records that a test gives it."""

    given: dict[str, list[Record]]

    def read(self, mapper: Mapper) -> list[Record]:
        return self.given[mapper.model._modelname]


def loaded(adapter: MappedAdapter) -> MappedAdapter:
    with adapter.store.loading():
        adapter.load()
    return adapter


def source_of(*sets: Record, zones: tuple[str, ...] = (ZONE,)) -> MappedAdapter:
    source = Given({}, MODELS, {"zone": {}, "record_set": {}})
    source.given = {"zone": [{"name": name, "kind": "Native"} for name in zones], "record_set": list(sets)}
    return loaded(source)


def record_set(name: str, kind: str, *contents: str, ttl: int | None = 300, zone: str = ZONE) -> dict[str, Any]:
    return {"zone": zone, "name": name, "type": kind, "ttl": ttl, "records": list(contents)}


def sync(source: MappedAdapter, target: MappedAdapter) -> Any:
    flags = DiffSyncFlags.CONTINUE_ON_FAILURE
    return Sync(target.diff_from(source), source, target, SyncOptions(batch_size=500), flags=flags).run()


def counts(result: Any) -> tuple[int, int, int, int]:
    return result.created, result.updated, result.deleted, result.failed


@pytest.fixture
def adapter_of(powerdns: PowerDnsServer) -> Iterator[Make]:
    opened: list[PowerDnsAdapter] = []

    def make(records: dict[str, dict[str, Any]] | None = None, **settings: Any) -> PowerDnsAdapter:
        adapter = PowerDnsAdapter({"url": powerdns.url, "token": API_KEY, **settings}, MODELS, records or MAPPINGS)
        opened.append(adapter)
        return adapter

    yield make
    for adapter in opened:
        adapter.close()


@pytest.fixture
def patches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of record sets of each request that writes some."""
    found = []
    send = HttpClient.send

    def counted(self: HttpClient, method: str, path: str, **options: Any) -> Any:
        if method == "PATCH":
            found.append(len(options["body"]["rrsets"]))
        return send(self, method, path, **options)

    monkeypatch.setattr(HttpClient, "send", counted)
    return found


def make_zone(powerdns: PowerDnsServer, *sets: dict[str, Any], zone: str = ZONE) -> None:
    powerdns.api(
        "POST", "zones", {"name": zone, "kind": "Native", "nameservers": [f"ns1.{zone}"], "rrsets": list(sets)}
    )


def raw(name: str, kind: str, *contents: str, ttl: int = 300, **more: Any) -> dict[str, Any]:
    """A record set as the API has it; a content with `!` in front is disabled."""
    records = [{"content": content.removeprefix("!"), "disabled": content.startswith("!")} for content in contents]
    return {"name": name, "type": kind, "ttl": ttl, "records": records, **more}


# Converging


def test_zones_and_record_sets_are_made_changed_and_deleted(powerdns: PowerDnsServer, adapter_of: Make) -> None:
    sets = [
        record_set("www.example.org.", "A", "192.0.2.1", "192.0.2.2"),
        record_set("www.example.org.", "AAAA", "2001:db8::1"),
        record_set("example.org.", "MX", "10 mail.example.org.", "20 mail2.example.org."),
        record_set("example.org.", "TXT", "v=spf1 -all", 'say "hi"', "x" * 400),
        record_set("_sip._tcp.example.org.", "SRV", "0 5 5060 sip.example.org."),
        record_set("alias.example.org.", "CNAME", "www.example.org."),
        record_set("sub.example.org.", "NS", "ns1.sub.example.org."),
        record_set("1.2.0.192.in-addr.arpa.", "PTR", "www.example.org.", zone="2.0.192.in-addr.arpa."),
        record_set("*.example.org.", "A", "192.0.2.9", ttl=None),
    ]
    zones = (ZONE, "2.0.192.in-addr.arpa.")
    source = source_of(*sets, zones=zones)
    assert counts(sync(source, loaded(adapter_of()))) == (11, 0, 0, 0)
    assert powerdns.dig("www.example.org") == 2
    assert powerdns.sets(ZONE)["example.org.", "TXT"][0] == '"say \\"hi\\""'
    source = source_of(*sets[:-1], {**sets[-1], "ttl": 3600}, zones=zones)
    assert not loaded(adapter_of()).diff_from(source).has_diffs()

    changed = [
        record_set("www.example.org.", "A", "192.0.2.2", "192.0.2.3"),
        record_set("example.org.", "MX", "20 mail2.example.org.", "10 mail.example.org.", ttl=60),
    ]
    source = source_of(*changed, zones=zones)
    assert counts(sync(source, loaded(adapter_of()))) == (0, 2, 7, 0)
    assert not loaded(adapter_of()).diff_from(source).has_diffs()
    left = powerdns.sets(ZONE)
    assert sorted(left) == [("example.org.", "MX"), ("example.org.", "SOA"), ("www.example.org.", "A")]
    assert counts(sync(source_of(zones=()), loaded(adapter_of()))) == (0, 0, 4, 0)
    assert powerdns.api("GET", "zones") == []


def test_all_changes_of_a_zone_are_one_request(powerdns: PowerDnsServer, adapter_of: Make, patches: list[int]) -> None:
    zones = (ZONE, "example.net.")
    sets = [
        record_set(f"h{number}.{zone}", "A", f"192.0.2.{number}", zone=zone) for zone in zones for number in range(100)
    ]
    assert counts(sync(source_of(*sets, zones=zones), loaded(adapter_of()))) == (202, 0, 0, 0)
    assert patches == [100, 100]
    patches.clear()
    changed = [{**each, "ttl": 60} for each in sets]
    assert counts(sync(source_of(*changed, zones=zones), loaded(adapter_of()))) == (0, 200, 0, 0)
    assert counts(sync(source_of(zones=zones), loaded(adapter_of()))) == (0, 0, 200, 0)
    assert patches == [100] * 4


def test_names_without_dots_and_relative_names(powerdns: PowerDnsServer, adapter_of: Make) -> None:
    make_zone(powerdns, raw("old.example.org.", "CNAME", "www.example.org."))
    source = source_of(
        record_set("www.example.org", "A", "192.0.2.1", zone="example.org"),
        record_set("old.example.org", "CNAME", "www.example.org", zone="example.org"),
        record_set("example.org", "MX", "10 mail.example.org", zone="example.org"),
        zones=("example.org",),
    )
    assert counts(sync(source, loaded(adapter_of(trailing_dots=False)))) == (2, 0, 0, 0)
    assert not loaded(adapter_of(trailing_dots=False)).diff_from(source).has_diffs()
    assert powerdns.sets(ZONE)["example.org.", "MX"] == ["10 mail.example.org."]

    mappings = {"record_set": {"from": "rrsets", "fields": {"name": "relative"}}}
    relative = source_of(record_set("@", "MX", "10 mail.example.org."), record_set("WWW2", "A", "192.0.2.4"))
    result = sync(relative, loaded(adapter_of(mappings)))
    assert counts(result)[0] >= 1
    assert ("www2.example.org.", "A") in powerdns.sets(ZONE)


# What is left alone


def test_soa_and_the_name_servers_of_a_zone_are_left_alone(powerdns: PowerDnsServer, adapter_of: Make) -> None:
    make_zone(powerdns)
    sync(source_of(), loaded(adapter_of()))
    assert set(powerdns.sets(ZONE)) == {(ZONE, "SOA"), (ZONE, "NS")}
    result = sync(source_of(record_set(ZONE, "NS", "ns9.example.org.")), loaded(adapter_of()))
    assert "List NS in `types` to write it" in result.rejects[0].reason
    assert powerdns.sets(ZONE)[ZONE, "NS"] == ["ns1.example.org."]
    adapter = adapter_of(types=["ns", "A"])
    assert counts(sync(source_of(record_set(ZONE, "NS", "ns9.example.org.", ttl=3600)), loaded(adapter))) == (
        0,
        1,
        0,
        0,
    )
    assert powerdns.sets(ZONE)[ZONE, "NS"] == ["ns9.example.org."]


def test_only_some_zones(powerdns: PowerDnsServer, adapter_of: Make) -> None:
    make_zone(powerdns, raw("a.example.org.", "A", "192.0.2.1"))
    make_zone(powerdns, raw("a.example.net.", "A", "192.0.2.1"), zone="example.net.")
    adapter = loaded(adapter_of(zones=["Example.NET"]))
    assert [each.name for each in adapter.get_all("record_set")] == ["a.example.net."]
    result = sync(source_of(record_set("b.example.org.", "A", "192.0.2.2"), zones=()), adapter)
    assert any("example.org. is not in `zones`" in reject.reason for reject in result.rejects)
    assert ("a.example.org.", "A") in powerdns.sets(ZONE)


def test_comments_and_disabled_records_stay(powerdns: PowerDnsServer, adapter_of: Make) -> None:
    comment = {"content": "ask Ann", "account": "ann"}
    make_zone(
        powerdns,
        raw("a.example.org.", "A", "192.0.2.1", "!192.0.2.77", comments=[comment]),
        raw("b.example.org.", "A", "!192.0.2.78"),
        raw("c.example.org.", "A", "192.0.2.3", "!192.0.2.79"),
    )
    target = loaded(adapter_of())
    assert {each.name for each in target.get_all("record_set")} == {"a.example.org.", "c.example.org."}
    source = source_of(record_set("a.example.org.", "A", "192.0.2.5"), record_set("b.example.org.", "A", "192.0.2.6"))
    assert counts(sync(source, target)) == (1, 1, 1, 0)
    found = powerdns.sets(ZONE)
    assert found["a.example.org.", "A"] == ["!192.0.2.77", "192.0.2.5"]
    assert found["b.example.org.", "A"] == ["!192.0.2.78", "192.0.2.6"]
    assert found["c.example.org.", "A"] == ["!192.0.2.79"]
    [kept] = [each for each in powerdns.api("GET", f"zones/{ZONE}")["rrsets"] if each["name"] == "a.example.org."]
    assert kept["comments"][0]["content"] == "ask Ann"


def test_a_model_without_ttl_keeps_the_ttl(powerdns: PowerDnsServer, adapter_of: Make) -> None:
    make_zone(powerdns, raw("a.example.org.", "A", "192.0.2.1", ttl=77))
    adapter = adapter_of()
    changes = [
        Change([ZONE, "a.example.org.", "A"], {"records": ["192.0.2.2"]}, {}),
        Change([ZONE, "gone.example.org.", "A"], {"ttl": 5}, {}),
    ]
    done, gone = adapter.send_updates(adapter.mappers["record_set"], changes)
    assert done is None
    assert isinstance(gone, ObjectNotUpdated)
    assert "gone.example.org. A is gone" in str(gone)
    [found] = [each for each in powerdns.api("GET", f"zones/{ZONE}")["rrsets"] if each["type"] == "A"]
    assert (found["ttl"], found["records"][0]["content"]) == (77, "192.0.2.2")


# Faults


def test_bad_record_sets_are_found_with_few_requests(
    powerdns: PowerDnsServer, adapter_of: Make, patches: list[int]
) -> None:
    make_zone(powerdns)
    sets = [record_set(f"h{number}.example.org.", "A", f"192.0.2.{number}") for number in range(200)]
    sets[7]["records"] = ["nonsense"]
    sets[90]["name"] = "h90.example.com."
    sets[150]["records"] = ["192.0.2.150", "192.0.2.150"]
    result = sync(source_of(*sets), loaded(adapter_of()))
    assert counts(result) == (197, 0, 0, 3)
    reasons = [reject.reason for reject in result.rejects]
    assert ["while parsing IP" in reasons[0], "out of zone" in reasons[1], "Duplicate" in reasons[2]] == [True] * 3
    assert patches == [200, 199, 198, 197]


def test_a_name_that_another_type_blocks_is_a_reject(powerdns: PowerDnsServer, adapter_of: Make) -> None:
    make_zone(powerdns, raw("a.example.org.", "A", "192.0.2.1"))
    sets = [record_set("a.example.org.", "A", "192.0.2.1"), record_set("a.example.org.", "CNAME", "b.example.org.")]
    result = sync(source_of(*sets, record_set("c.example.org.", "A", "192.0.2.3")), loaded(adapter_of()))
    assert counts(result) == (1, 0, 0, 1)
    assert "Conflicts with pre-existing RRset" in result.rejects[0].reason


def test_a_zone_that_is_missing(powerdns: PowerDnsServer, adapter_of: Make) -> None:
    make_zone(powerdns, raw("a.example.org.", "A", "192.0.2.1"))
    target = loaded(adapter_of({"record_set": {"from": "rrsets"}}))
    powerdns.empty()
    result = sync(source_of(record_set("b.example.org.", "A", "192.0.2.2")), target)
    assert (result.deleted, result.failed) == (1, 1)
    assert "PowerDNS has no zone example.org." in result.rejects[0].reason


@pytest.mark.parametrize("token", ["wrong-key-123", None])
def test_a_wrong_key_is_named_and_not_shown(powerdns: PowerDnsServer, adapter_of: Make, token: str | None) -> None:
    with pytest.raises(HttpError, match="GET /api/v1/servers/localhost/zones answered 401 Unauthorized") as caught:
        loaded(adapter_of(token=token))
    assert "wrong-key-123" not in str(caught.value)


def test_the_url_may_name_the_server(powerdns: PowerDnsServer, adapter_of: Make) -> None:
    make_zone(powerdns)
    adapter = loaded(adapter_of(url=f"{powerdns.url}/api/v1/servers/localhost/"))
    assert [zone.name for zone in adapter.get_all("zone")] == [ZONE]
    assert adapter.store.record().state is StoreState.COMPLETE


def test_records_are_looked_up_by_their_names(powerdns: PowerDnsServer, adapter_of: Make) -> None:
    make_zone(powerdns, raw("a.example.org.", "A", "192.0.2.1"))
    adapter = adapter_of()
    ids = [{"zone": ZONE, "name": f"{name}.example.org.", "type": "A"} for name in ("a", "b")]
    found = adapter.find(adapter.mappers["record_set"], [*ids, {**ids[0], "zone": "example.net."}])
    assert [record and record["records"] for record in found] == [["192.0.2.1"], None, None]


def test_another_source_of_records_is_refused() -> None:
    with pytest.raises(ValueError, match="`from: devices` of 'zone': PowerDNS has `zones` and `rrsets`"):
        PowerDnsAdapter({"url": "http://127.0.0.1"}, MODELS, {"zone": {"from": "devices"}})


def test_threads_share_an_adapter(powerdns: PowerDnsServer, adapter_of: Make) -> None:
    make_zone(powerdns)
    adapter = adapter_of()
    mapper = adapter.mappers["record_set"]
    parts = [
        [record_set(f"h{thread}-{number}.example.org.", "A", "192.0.2.1") for number in range(10)]
        for thread in range(6)
    ]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda part: adapter.send_creates(mapper, part), parts))
    assert answers == [[[ZONE, each["name"], "A"] for each in part] for part in parts]
    assert len(powerdns.sets(ZONE)) == 62


def test_a_name_in_another_form_than_it_is_read_in_is_a_reject(adapter_of: Make) -> None:
    sets = [record_set(name, "A", "192.0.2.1") for name in ("A.example.org.", "b.example.org", "c.example.org.")]
    result = sync(source_of(*sets), loaded(adapter_of()))
    assert counts(result) == (2, 0, 0, 2)
    assert "The name 'A.example.org.' is 'a.example.org.' in PowerDNS." in result.rejects[0].reason
    assert counts(sync(source_of(*sets), loaded(adapter_of()))) == (0, 0, 0, 2)
    result = sync(source_of(zones=(ZONE, "Example.net.")), loaded(adapter_of()))
    assert counts(result) == (0, 0, 1, 1)
    assert "'Example.net.' is 'example.net.' in PowerDNS" in result.rejects[0].reason


def test_a_zone_of_the_settings_that_is_not_there_makes_the_load_partial(
    adapter_of: Make, powerdns: PowerDnsServer
) -> None:
    powerdns.api("POST", "zones", {"name": ZONE, "kind": "Native", "nameservers": []})
    zones = ["example.org", "exmaple.net"]
    record = loaded(adapter_of({"record_set": MAPPINGS["record_set"]}, zones=zones)).store.record()
    assert record.state is StoreState.PARTIAL
    assert "Correct `zones`: PowerDNS has no zone exmaple.net." in record.reason
    assert loaded(adapter_of(zones=zones)).store.record().state is StoreState.COMPLETE  # a sync may create it
