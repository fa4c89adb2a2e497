"""Recognize the system that a person names by a folder, a database URL or a web address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

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
    """The settings of the ready adapter as far as they are known, without a token."""

    @property
    def needs_token(self) -> bool:
        """True if the system is usually used with a token."""
        return self.type in {"netbox", "nautobot", "powerdns", "rest"}


def recognize(text: str) -> Address:
    """Return the system that a folder, a file, a database URL, a web address or `module:function` names.

    A web address is asked which system it is.

    Raises:
        UnknownSystem: it is none of these, or cannot be reached.
        ImportError: it has a web address, and the packages for that are missing; the message says what to install.
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


def _of_web(url: str) -> Address:
    from diffsync_store.adapters.http.libraries import httpx

    parts = urlsplit(url)
    if parts.username or parts.password:
        raise UnknownSystem("Remove the password from the web address. The command asks for a token.")
    root = f"{parts.scheme}://{parts.netloc}"
    base = parts.path.rstrip("/").removesuffix("/api")
    try:
        with httpx.Client(timeout=_PROBE_SECONDS, trust_env=False) as client:
            kind = _kind_of(client, f"{root}{base}")
    except httpx.HTTPError as error:
        raise UnknownSystem(f"{root} cannot be reached: {str(error) or type(error).__name__}.") from error
    if kind == "powerdns":
        return Address(kind, url, {"url": f"{root}{base.partition('/api/')[0]}/"})
    if kind:
        return Address(kind, url, {"url": f"{root}{base}/api/"})
    return Address("rest", url, {})


def _kind_of(client: Any, root: str) -> str:
    """Return the type of the system at an address, as it answers without credentials; empty if it is none that is known."""
    api = client.get(f"{root}/api/")
    if "API-Version" in api.headers and "detail" in api.text:
        return "nautobot" if "nautobot" in client.get(f"{root}/login/").text.lower() else "netbox"
    of_powerdns = client.get(f"{root.partition('/api/')[0]}/api/v1/servers/localhost")
    return "powerdns" if "powerdns" in of_powerdns.headers.get("WWW-Authenticate", "").lower() else ""


def _sqlalchemy_url(url: str) -> str:
    """Name the driver that the extra `sql` installs."""
    for short, long in (("postgresql", "postgresql+psycopg"), ("postgres", "postgresql+psycopg"), ("mysql", "mysql+pymysql"), ("mariadb", "mariadb+pymysql")):  # fmt: skip
        if url.startswith(f"{short}://"):
            return f"{long}{url.removeprefix(short)}"
    return url
