"""How a PowerDNS is reached, and which of its zones and record sets are read and written."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from diffsync_store.adapters.powerdns.names import canonical
from diffsync_store.adapters.rest import RestSettings, Writing


class PowerDnsSettings(RestSettings):
    """How a PowerDNS is reached: `url` is the address of its web server, `token` its `api-key`."""

    token_header: str = "X-API-Key"  # noqa: S105  # the name of a header
    writing: Writing = Writing(
        create="POST {path}", update="PUT {path}/{id}", delete="DELETE {path}/{id}", whole=False, find_dropped=False
    )
    one_write_at_a_time: bool = True
    """Its SQLite backend fails if two requests write at once. Other backends may take several."""
    server: str = Field(default="localhost", pattern=r"^[\w.-]+$")
    """The server's id in the API."""
    zones: tuple[str, ...] = ()
    """The zones that are read and written; all by default."""
    types: tuple[str, ...] = ()
    """The types of record sets that are read and written; by default all but SOA, and NS of the zone itself."""
    trailing_dots: bool = True
    """Names end with a dot, as in PowerDNS. If false, names and the hosts in contents have none in the records of the models."""
    text: Literal["plain", "quoted"] = "plain"
    """TXT contents in the records of the models: without quotes and in one piece, or as in PowerDNS."""
    default_ttl: int = Field(default=3600, ge=0, le=2**31 - 1)
    """The TTL of record sets that are created without one."""
    kind: Literal["Native", "Master", "Primary", "Slave", "Secondary", "Producer", "Consumer"] = "Native"
    """The kind of zones that are created without one."""
    nameservers: tuple[str, ...] = ()
    """The name servers of zones that are created without any."""

    @field_validator("zones")
    @classmethod
    def _make_canonical(cls, zones: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(canonical, zones))

    @field_validator("types")
    @classmethod
    def _make_upper_case(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name.upper() for name in types)
