"""Names of the DNS in PowerDNS's form: lower case, with a dot at the end."""

from __future__ import annotations

import re

_PLAIN_IN_ID = re.compile(r"[^A-Za-z0-9._-]")


def canonical(name: str) -> str:
    """Return a name in PowerDNS's form: lower case, with a dot at the end."""
    name = name.strip().lower()
    return name if name.endswith(".") else f"{name}."


def without_dot(name: str) -> str:
    """Return a name without the dot at its end; the root keeps it."""
    return name[:-1] if name.endswith(".") and len(name) > 1 else name


def relative(name: str, zone: str) -> str:
    """Return a canonical name below a canonical zone; `@` is the zone itself."""
    return "@" if name == zone else name.removesuffix(f".{zone}")


def absolute(name: str, zone: str) -> str:
    """Return the canonical name of a relative one."""
    return zone if name.strip() in {"@", ""} else f"{name.strip().lower()}.{zone}"


def zone_id(zone: str) -> str:
    """Return the id of a canonical zone in the API, where other characters are written as `=2F`."""
    if zone == ".":
        return "=2E"
    return _PLAIN_IN_ID.sub(lambda match: "".join(f"={byte:02X}" for byte in match[0].encode()), zone)
