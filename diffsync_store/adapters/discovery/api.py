"""The collections of NetBox and Nautobot, by the OPTIONS of their endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from diffsync_store.adapters.discovery.collection import Collection, DiscoveredField
from diffsync_store.adapters.http import HttpClient, HttpSettings

_TYPES = {
    "boolean": "bool",
    "integer": "int",
    "decimal": "number",
    "float": "number",
    "date": "date",
    "datetime": "datetime",
}
_LEFT_OUT = frozenset(
    {"id", "url", "display", "display_url", "object_type", "natural_slug", "notes_url", "created", "last_updated"}
)
"""Fields that every record has, and that say nothing about the thing itself."""
_UNMAPPED_TYPES = frozenset({"list", "image upload", "file upload"})
"""Lists are references of many forms."""
_UNMAPPED = frozenset({"custom_fields", "computed_fields", "relationships", "tags", "local_context_data"})
_GROUPS_LEFT_OUT = frozenset({"core", "extras", "plugins", "apps", "status", "users", "graphql"})
_EXTRAS = ("extras/roles", "extras/statuses", "extras/tags")
"""Endpoints of the left out groups that inventories name: Nautobot's roles and statuses."""
_KEYS: Mapping[str, tuple[str, ...]] = {
    "dcim/device-types": ("manufacturer", "model"),
    "dcim/module-types": ("manufacturer", "model"),
    "dcim/interfaces": ("device", "name"),
    "dcim/console-ports": ("device", "name"),
    "dcim/console-server-ports": ("device", "name"),
    "dcim/power-ports": ("device", "name"),
    "dcim/power-outlets": ("device", "name"),
    "dcim/front-ports": ("device", "name"),
    "dcim/rear-ports": ("device", "name"),
    "dcim/device-bays": ("device", "name"),
    "dcim/module-bays": ("device", "name"),
    "dcim/racks": ("site", "name"),
    "ipam/prefixes": ("prefix",),
    "ipam/aggregates": ("prefix",),
    "ipam/ip-addresses": ("address",),
    "ipam/vlans": ("vid", "name"),
    "ipam/asns": ("asn",),
    "circuits/circuits": ("provider", "cid"),
    "virtualization/interfaces": ("virtual_machine", "name"),
}
"""Natural keys of endpoints whose records are not known by a unique name."""
_TEMPLATE_KEY = ("device_type", "name")
_REFERENCE_KEYS = ("name", "model", "prefix", "address", "slug")
"""Fields by which a record is named from another one, the best first."""
_THREADS = 4


class ApiDiscovery:
    """Looks into a NetBox or a Nautobot.

    Args:
        settings: the settings of the ready adapter, without a token.
        connection: how the API is reached, with the token.
    """

    def __init__(self, settings: Mapping[str, Any], connection: HttpSettings) -> None:
        self.settings = settings
        self._client = HttpClient(connection)
        self._paths = list(self._endpoints())
        self._by_noun = {_singular(path.rpartition("/")[2]): path for path in reversed(self._paths)}

    def names(self) -> Sequence[str]:
        """Return the paths of the endpoints, such as `dcim/devices`."""
        return self._paths

    def describe(self, name: str) -> Collection:
        """Return an endpoint with the fields of its records."""
        actions = self._client.send("OPTIONS", f"{name}/").json().get("actions", {})
        declared: Mapping[str, Any] = actions.get("POST") or actions.get("PUT") or {}
        if not declared:
            raise ValueError(
                f"The API does not describe the fields of {name}. Give the token's user the right to add and change these records."
            )
        fields = [field for key, options in declared.items() for field in self._fields(name, key, options)]
        return Collection(name, f"{name}/", fields, tuple(_keys(name, {field.name for field in fields})))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _endpoints(self) -> Iterator[str]:
        groups = [group for group in self._client.get("").json() if group not in _GROUPS_LEFT_OUT]
        with ThreadPoolExecutor(_THREADS) as pool:
            answers = pool.map(lambda group: self._client.get(f"{group}/").json(), groups)
            for group, endpoints in zip(groups, answers, strict=True):
                yield from (f"{group}/{endpoint}" for endpoint in endpoints)
        extras = self._client.get("extras/").json()
        yield from (path for path in _EXTRAS if path.rpartition("/")[2] in extras)

    def _fields(self, collection: str, name: str, options: Mapping[str, Any]) -> Iterator[DiscoveredField]:
        if name in _LEFT_OUT or name in _UNMAPPED or options["type"] in _UNMAPPED_TYPES:
            return
        refers_to = ""
        if options["type"] == "nested object" or (options["type"] == "field" and "choices" not in options):
            refers_to = self._referred(collection, name)
            if not refers_to:
                return  # a value whose form is unknown
        yield DiscoveredField(
            name=name,
            type="str" if refers_to else _TYPES.get(options["type"], "str"),
            may_be_null=not options["required"],
            is_read_only=options["read_only"],
            is_required=options["required"],
            refers_to=refers_to,
            path=f"{name}.{_reference_key(refers_to, options.get('children', {}))}" if refers_to else name,
            column=name if refers_to else "",
        )

    def _referred(self, collection: str, field: str) -> str:
        """Return the endpoint that a field refers to: `role` of `dcim/racks` is one of `dcim/rack-roles`, if there are such."""
        group, _, noun = collection.rpartition("/")
        special = f"{group}/{_singular(noun)}-{field.replace('_', '-')}s"
        return special if special in self._paths else self._by_noun.get(field.replace("_", "-"), "")


def _reference_key(path: str, children: Mapping[str, Any]) -> str:
    known = next((key for key in _REFERENCE_KEYS if key in children), "")
    return known or ("model" if path in {"dcim/device-types", "dcim/module-types"} else "name")


def _keys(path: str, names: set[str]) -> Iterator[tuple[str, ...]]:
    if path in _KEYS and set(_KEYS[path]) <= names:
        yield _KEYS[path]
    if path.endswith("-templates") and set(_TEMPLATE_KEY) <= names:
        yield _TEMPLATE_KEY
    yield from ((key,) for key in _REFERENCE_KEYS if key in names)


def _singular(noun: str) -> str:
    if noun.endswith("ies"):
        return f"{noun[:-3]}y"
    if noun.endswith(("ses", "xes", "sses")):
        return noun[:-2]
    return noun.removesuffix("s")
