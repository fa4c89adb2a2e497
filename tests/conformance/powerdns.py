"""A PowerDNS as a system under test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import httpx

from diffsync_store import Adapter, BaseStore
from diffsync_store.adapters.mapped import MappedModel
from diffsync_store.adapters.powerdns import PowerDnsAdapter
from diffsync_store.mapping import ModelDefinition, build_models
from diffsync_store.testing import BehindHttpProxy, HttpProxy, Record, Sample
from tests.powerdns_server import API_KEY, PowerDnsServer

MODELS = build_models(
    {
        "zone": ModelDefinition.model_validate({"identifiers": {"name": "str"}, "attributes": {"kind": "str"}}),
        "record_set": ModelDefinition.model_validate(
            {
                "identifiers": {"zone": "str", "name": "str", "type": "str"},
                "attributes": {"ttl": "int", "records": {"type": "list[str]", "compare": "unordered"}},
                "references": {"zone": "zone"},
            }
        ),
    },
    MappedModel,
)
ZONE = Sample(
    "zone", identifiers=lambda n: {"name": f"zone{n}.example."}, first={"kind": "Native"}, second={"kind": "Master"}
)
RECORD_SET = Sample(
    "record_set",
    identifiers=lambda n: {"zone": "zone0.example.", "name": f"h{n}.zone0.example.", "type": "TXT"},
    first={"ttl": 300, "records": ["one"]},
    second={"ttl": 60, "records": ["three", "two"]},
    needs=("zone",),
    values={
        "ttl": [0, 2**31 - 1],
        "records": [[text] for text in ("Zürich 東京", 'it\'s "so"', "a\\b", "x" * 700, "v=spf1 -all; b", "  x  ")],
    },
    refused={"ttl": 2**33},
)


class PowerDnsUnderTest(BehindHttpProxy):
    secrets = (API_KEY,)

    def __init__(self, proxy: HttpProxy, server: PowerDnsServer) -> None:
        super().__init__(proxy)
        self.server = server

    def make_adapter_at(self, url: str, store: BaseStore, key: str = API_KEY) -> Adapter:
        settings = {"url": url, "token": key, "attempts": 2}
        records = {"zone": {"from": "zones"}, "record_set": {"from": "rrsets"}}
        return PowerDnsAdapter(settings, MODELS, records, internal_storage_engine=store)

    def make_adapter_with_wrong_credentials(self, store: BaseStore) -> Adapter:
        return self.make_adapter_at(self.proxy.url, store, "wr0ng-k3y")

    def records(self, model: str) -> Iterable[Mapping[str, Any]]:
        zones = self.server.api("GET", "zones")
        if model == "zone":
            return [{"name": zone["name"], "kind": zone["kind"]} for zone in zones]
        return [found for zone in zones for found in self._sets(zone["name"])]

    def _sets(self, zone: str) -> Iterable[Mapping[str, Any]]:
        contents = PowerDnsAdapter({"url": self.server.url}, MODELS, {})._contents
        for found in self.server.api("GET", f"zones/{zone}")["rrsets"]:
            if found["type"] == "TXT":
                records = [contents.read("TXT", record["content"]) for record in found["records"]]
                yield {"zone": zone, "name": found["name"], "type": "TXT", "ttl": found["ttl"], "records": records}

    def put(self, record: Record) -> None:
        if record.model == "zone":
            self._put_zone(record)
            return
        fields = record.fields
        contents = PowerDnsAdapter({"url": self.server.url}, MODELS, {})._contents
        records = [{"content": contents.write("TXT", text), "disabled": False} for text in fields["records"]]
        body = {
            "name": fields["name"],
            "type": "TXT",
            "ttl": fields["ttl"],
            "changetype": "REPLACE",
            "records": records,
        }
        self.server.api("PATCH", f"zones/{fields['zone']}", {"rrsets": [body]})

    def _put_zone(self, record: Record) -> None:
        if record.fields["name"] in {zone["name"] for zone in self.records("zone")}:
            self.server.api("PUT", f"zones/{record.fields['name']}", {"kind": record.fields["kind"]})
        else:
            self.server.api("POST", "zones", {**record.fields, "nameservers": []})

    def remove(self, record: Record) -> None:
        fields = record.fields
        try:
            if record.model == "zone":
                self.server.api("DELETE", f"zones/{fields['name']}")
            else:
                body = {"name": fields["name"], "type": "TXT", "changetype": "DELETE"}
                self.server.api("PATCH", f"zones/{fields['zone']}", {"rrsets": [body]})
        except httpx.HTTPStatusError as error:
            if error.response.status_code != 404:
                raise
