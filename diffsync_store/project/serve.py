"""The keys of the review page: where it listens, and who may read, start and approve."""

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, SecretStr, field_validator, model_validator

from diffsync_store.project.declaration import Declaration
from diffsync_store.project.duration import Seconds
from diffsync_store.project.variables import names_in

Role = Literal["read", "start", "approve"]
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_OTHER_HEADERS = {
    "authorization",
    "cookie",
    "forwarded",
    "host",
    "origin",
    "referer",
    "x-forwarded-for",
    "x-csrf-token",
}
_HOUR = 3600
_MIN_KEY = 32
_MAX_LIFETIME = 24 * _HOUR


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def validate_origin(url: str) -> str:
    """Check an address that browsers open: `https://host[:port]`, or `http://` on this machine or behind a proxy."""
    if "${" in url:  # checked again when the variable has its value
        return url
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("give an address such as https://diffs.example.com")
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("give scheme, host and port only: the page has no path, no query and no user")
    return f"{parts.scheme}://{parts.netloc}".lower()


def validate_issuer(url: str) -> str:
    """Check the address of an OIDC provider: https, unless it runs on this machine."""
    if "${" in url:
        return url
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise ValueError("the provider must have an https:// address; http:// is accepted on this machine only")
    return url


def validate_header(name: str) -> str:
    """Check the name of a header."""
    if not _HEADER.fullmatch(name):
        raise ValueError("a header has letters, digits and '-', e.g. X-Forwarded-User")
    if name.lower() in _OTHER_HEADERS:
        raise ValueError("browsers and proxies use this header for something else. Name another one")
    return name


class ProxyIdentity(Declaration):
    """A reverse proxy that signs people in, and names them in a header."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"header": "X-Forwarded-User"}]})

    header: Annotated[str, AfterValidator(validate_header)] = "X-Forwarded-User"
    """The header with the name of the person. The proxy must remove it from the requests of its clients."""
    groups_header: Annotated[str, AfterValidator(validate_header)] | None = None
    """The header with the groups of the person, separated by commas."""
    trusted: list[IPv4Network | IPv6Network] = Field(min_length=1, examples=[["127.0.0.1/32"]])
    """Addresses of the proxy. A request from another address that has one of the headers is refused."""


class OidcIdentity(Declaration):
    """An OpenID Connect provider: the page signs people in with an authorization code and PKCE."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"issuer": "https://id.example.com", "client_id": "diffsync", "client_secret": "${OIDC_SECRET}"}
            ]
        }
    )

    issuer: Annotated[str, AfterValidator(validate_issuer)] = Field(examples=["https://id.example.com"])
    """Address of the provider; its `/.well-known/openid-configuration` describes it."""
    client_id: str = Field(min_length=1, examples=["diffsync-store"])
    """Name of the page at the provider."""
    client_secret: SecretStr | None = None
    """Secret of the page at the provider, from ${VAR}; not needed for a public client."""
    scopes: list[str] = ["openid", "profile", "email"]
    """What the page asks the provider for."""
    name_claim: str = "preferred_username"
    """The claim that names the person in decisions."""
    groups_claim: str = "groups"
    """The claim with the groups of the person; dots lead into nested claims, as in `realm_access.roles`."""

    @field_validator("scopes")
    @classmethod
    def _has_openid(cls, scopes: list[str]) -> list[str]:
        if "openid" not in scopes:
            raise ValueError("add openid: without it, the provider does not say who signs in")
        return scopes


class TokenIdentity(Declaration):
    """A file with the hashes of tokens, for pipelines that use the API."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"file": "tokens.toml"}]})

    file: str = Field(min_length=1, examples=["tokens.toml"])
    """The file, which `diffsync-store token` writes lines for. A relative path starts at the folder of this file."""


class Identity(Declaration):
    """Who uses the page. Without it, the page shows to people on this machine, and nobody can decide."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"tokens": {"file": "tokens.toml"}}]})

    proxy: ProxyIdentity | None = None
    """A reverse proxy that names the person in a header."""
    oidc: OidcIdentity | None = None
    """An OpenID Connect provider."""
    tokens: TokenIdentity | None = None
    """A file with the hashes of tokens."""
    roles: Mapping[Role, list[str]] = Field({}, examples=[{"read": ["*"], "approve": ["network-leads", "user:alice"]}])
    """The groups that have each role; `user:NAME` is one person, `*` everybody who is signed in. `start` and `approve` include
    `read`. Tokens have the roles that their file gives them."""
    session_key: SecretStr | None = None
    """Secret of at least 32 characters, from ${VAR}, that signs sessions. By default a new one at each start, which ends all
    sessions."""
    session_lifetime: Seconds = 8 * _HOUR
    """Time after which a person signs in again; 24 hours at most."""

    @field_validator("session_key")
    @classmethod
    def _is_long(cls, key: SecretStr | None) -> SecretStr | None:
        text = "" if key is None else key.get_secret_value()
        if key is not None and "${" not in text and len(text) < _MIN_KEY:
            raise ValueError(f"use at least {_MIN_KEY} characters, such as the output of `openssl rand -hex 32`")
        return key

    @field_validator("session_lifetime")
    @classmethod
    def _is_short(cls, seconds: int) -> int:
        if seconds > _MAX_LIFETIME:
            raise ValueError("a session lasts 24h at most")
        return seconds

    @property
    def is_configured(self) -> bool:
        """Whether a person or a pipeline can have an identity."""
        return any((self.proxy, self.oidc, self.tokens))


class ServeSettings(Declaration):
    """The review page of `diffsync-store serve`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"port": 8080}]})

    host: str = "127.0.0.1"
    """Address to listen on. One that other machines reach needs an `identity`."""
    port: Annotated[int, Field(strict=True, ge=0, le=65535)] = 8080
    """Port to listen on; 0 is any free one."""
    base_url: Annotated[str, AfterValidator(validate_origin)] | None = None
    """Address that people open, such as https://diffs.example.com, if it is not that of host and port."""
    identity: Identity = Identity()
    """Who uses the page, and what they may do."""

    @property
    def origin(self) -> str:
        """The address of the page in a browser, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.base_url or f"http://{host}:{self.port}"

    @model_validator(mode="after")
    def _is_not_open(self) -> Self:
        if not is_loopback(self.host) and not self.identity.is_configured:
            raise ValueError(
                f"other machines reach {self.host}: add an identity (proxy, oidc or tokens), or use host: 127.0.0.1"
            )
        if not is_loopback(self.host) and self.base_url is None:
            raise ValueError("add base_url, the address that people open: requests for another host name are refused")
        return self

    def plain_secrets(self) -> Iterator[tuple[str | int, ...]]:
        """Yield the places of secrets that the file holds itself, instead of the name of a variable."""
        identity = self.identity
        secrets = {
            ("identity", "oidc", "client_secret"): identity.oidc.client_secret if identity.oidc else None,
            ("identity", "session_key"): identity.session_key,
        }
        yield from (
            place for place, secret in secrets.items() if secret is not None and not names_in(secret.get_secret_value())
        )
