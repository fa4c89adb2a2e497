"""Slugs of new records: NetBox wants one of each, and a model may have none."""

from __future__ import annotations

from hashlib import blake2s
from typing import Any

from diffsync_store.mapping.transforms import compile_transform

_LONGEST = 100
_DIGEST = 6
_slug = compile_transform("slug")

_NAMED = {
    "circuits": (
        "circuit-groups",
        "circuit-types",
        "providers",
        "virtual-circuit-types",
    ),
    "dcim": (
        "device-roles",
        "inventory-item-roles",
        "locations",
        "manufacturers",
        "platforms",
        "rack-groups",
        "rack-roles",
        "regions",
        "site-groups",
        "sites",
    ),
    "extras": ("tags",),
    "ipam": (
        "asn-ranges",
        "rirs",
        "roles",
        "vlan-groups",
    ),
    "tenancy": (
        "contact-groups",
        "contact-roles",
        "tenant-groups",
        "tenants",
    ),
    "virtualization": (
        "cluster-groups",
        "cluster-types",
        "virtual-machine-types",
    ),
    "vpn": (
        "l2vpns",
        "tunnel-groups",
    ),
    "wireless": ("wireless-lan-groups",),
}
_SOURCES = {f"{app}/{plural}": "name" for app, plurals in _NAMED.items() for plural in plurals}
_SOURCES |= {"dcim/device-types": "model", "dcim/rack-types": "model"}


def source_of_slug(path: str) -> str | None:
    """Return the field that a slug is made from in records of a list; None where the records have no slug."""
    return _SOURCES.get(path.strip("/"))


def first_slug(text: str) -> str:
    """Return the slug of a name, as NetBox's own form makes it."""
    return _slug(text)[:_LONGEST] or _digest(text)


def other_slug(text: str) -> str:
    """Return a slug for a name whose first slug is taken, such as `Middle-Atlantic` beside `Middle Atlantic`. It depends on the name only."""
    return f"{_slug(text)[: _LONGEST - _DIGEST - 1]}-{_digest(text)}".lstrip("-")


def add_slugs(bodies: list[dict[str, Any]], path: str) -> set[int]:
    """Give each new record that has no slug one; return the places of these records."""
    source = source_of_slug(path)
    if source is None:
        return set()
    made: set[int] = set()
    taken = {body["slug"] for body in bodies if body.get("slug")}
    for place, body in enumerate(bodies):
        text = body.get(source)
        if body.get("slug") or not isinstance(text, str):
            continue
        body["slug"] = other_slug(text) if first_slug(text) in taken else first_slug(text)
        taken.add(body["slug"])
        made.add(place)
    return made


def _digest(text: str) -> str:
    return blake2s(text.encode()).hexdigest()[:_DIGEST]
