"""From what a person says of a system, such as a folder, a database URL or a web address, to its type and its discovery."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from diffsync_store.adapters.discovery.collection import Collection, Discovery

_DATABASES = ("sqlite", "postgresql", "postgres", "mysql", "mariadb")
_FUNCTIONS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_PROBE_SECONDS = 10.0


class UnknownSystem(ValueError):
    """Nothing is known of what a person has named."""


@dataclass(frozen=True)
class Address:
    """A system that was recognized."""

    type: str
    """The type of the ready adapter: `files`, `sql`, `netbox`, `nautobot`, `powerdns`, `rest` or `python`."""
    location: str
    """The folder, URL or import path as it was given; it may contain a password."""
    settings: Mapping[str, Any]
    """The settings of the ready adapter, without a token."""

    @property
    def needs_token(self) -> bool:
        """True if the system is usually used with a token."""
        return self.type in {"netbox", "nautobot", "powerdns", "rest"}


def recognize(text: str) -> Address:
    """Return the system that a folder, a file, a database URL, a web address or `module:function` names.

    A web address is asked which system it is.

    Raises:
        UnknownSystem: it is none of these, or cannot be reached.
    """
    text = text.strip()
    scheme = urlsplit(text).scheme.partition("+")[0].lower() if "://" in text else ""
    if scheme in _DATABASES:
        return Address("sql", text, {"url": _sqlalchemy_url(text)})
    if scheme in {"http", "https"}:
        return _of_web(text)
    if scheme:
        known = ", ".join(f"{name}://" for name in (*_DATABASES, "http", "https"))
        raise UnknownSystem(f"There is no ready adapter for {scheme}://. Give a folder, a file, or one of {known}.")
    path = Path(text).expanduser()
    if path.exists():
        folder = path if path.is_dir() else path.parent
        return Address("files", text, {"folder": str(folder)})
    if _FUNCTIONS.fullmatch(text):
        module, _, _ = text.partition(":")
        return Address("python", text, {"module": module})
    raise UnknownSystem(f"{text}: there is no such file or folder. Give a path, a database URL, or a web address.")


def discovery_of(address: Address, token: str = "") -> Discovery:
    """Return what looks into a system.

    Args:
        address: the system.
        token: its API token.

    Raises:
        ImportError: the packages of its adapter are missing; the message says what to install.
        Exception: it cannot be reached, or refuses the token.
    """
    if address.type == "files":
        from diffsync_store.adapters.discovery.files import FilesDiscovery

        return FilesDiscovery(Path(address.location).expanduser())
    if address.type == "sql":
        from diffsync_store.adapters.discovery.sql import SqlDiscovery

        return SqlDiscovery(address.settings["url"])
    if address.type == "powerdns":
        from diffsync_store.adapters.discovery.powerdns import PowerDnsDiscovery

        return PowerDnsDiscovery()
    if address.type in {"netbox", "nautobot"}:
        from diffsync_store.adapters.discovery.api import ApiDiscovery

        return ApiDiscovery({**address.settings, "token": token, "token_scheme": _scheme_of(token)})
    if address.type == "python":
        return _FunctionDiscovery(address)
    return _RestDiscovery(address, token)


class _FunctionDiscovery:
    """One function of a module."""

    def __init__(self, address: Address) -> None:
        self._settings = dict(address.settings)
        self._function = address.location.partition(":")[2]

    def names(self) -> Sequence[str]:
        return [self._function]

    def describe(self, name: str) -> Collection:
        from diffsync_store.adapters.discovery.samples import collection_of, sample
        from diffsync_store.adapters.python import PythonAdapter

        return collection_of(name, name, sample(PythonAdapter, self._settings, {"from": name}))

    def close(self) -> None:
        """Nothing is open."""


class _RestDiscovery:
    """One list of a JSON API: the one that the address leads to."""

    def __init__(self, address: Address, token: str) -> None:
        self._settings = {**address.settings, **({"token": token} if token else {})}
        self._path = urlsplit(address.location).path.rstrip("/").rpartition("/")[2] or "records"
        self._source = _below(address)

    def names(self) -> Sequence[str]:
        return [self._path]

    def describe(self, name: str) -> Collection:
        from diffsync_store.adapters.discovery.samples import collection_of, sample
        from diffsync_store.adapters.rest import RestAdapter

        return collection_of(name, self._source, sample(RestAdapter, self._settings, {"from": self._source}))

    def close(self) -> None:
        """Nothing is open."""


def _of_web(url: str) -> Address:
    import httpx

    parts = urlsplit(url)
    if parts.username or parts.password:
        raise UnknownSystem("Leave the password out of the web address. You are asked for a token.")
    root = f"{parts.scheme}://{parts.netloc}"
    base = parts.path.rstrip("/").removesuffix("/api")
    try:
        with httpx.Client(timeout=_PROBE_SECONDS, trust_env=False) as client:
            api = client.get(f"{root}{base}/api/")
            is_powerdns = api.headers.get("server", "").startswith("PowerDNS") or "powerdns" in api.text[:500].lower()
            if is_powerdns:
                return Address("powerdns", url, {"url": f"{root}{base}/api/v1/servers/localhost/"})
            if "API-Version" in api.headers and "detail" in api.text:
                page = client.get(f"{root}{base}/login/").text.lower()
                kind = "nautobot" if "nautobot" in page else "netbox"
                return Address(kind, url, {"url": f"{root}{base}/api/"})
    except httpx.HTTPError as error:
        raise UnknownSystem(f"{root} cannot be reached: {str(error) or type(error).__name__}.") from error
    folder, _, _ = parts.path.rstrip("/").rpartition("/")
    return Address("rest", url, {"url": f"{root}{folder}/"})


def _below(address: Address) -> str:
    parts = urlsplit(address.location)
    last = parts.path.rpartition("/")[2] or parts.path.rstrip("/").rpartition("/")[2] + "/"
    return f"{last}?{parts.query}" if parts.query else last


def _scheme_of(token: str) -> str:
    """NetBox has tokens of two versions; those of the second begin with `nbt_`."""
    return "Bearer" if token.startswith("nbt_") else "Token"


def _sqlalchemy_url(url: str) -> str:
    """Name the driver that the extra `sql` installs."""
    for short, long in (("postgresql", "postgresql+psycopg"), ("postgres", "postgresql+psycopg"), ("mysql", "mysql+pymysql"), ("mariadb", "mariadb+pymysql")):  # fmt: skip
        if url.startswith(f"{short}://"):
            return f"{long}{url.removeprefix(short)}"
    return url
