"""How an API is reached: address, credentials, limits, TLS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, field_validator, model_validator

from diffsync_store.adapters.mapped import AdapterSettings
from diffsync_store.transient import LONGEST_WAIT


class ClientCredentials(BaseModel):
    """The client credentials grant of OAuth 2."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)

    token_url: HttpUrl
    """The address that issues tokens; it may be on another host."""
    client_id: str
    client_secret: SecretStr
    scope: str = ""


class HttpSettings(AdapterSettings):
    """How an API is reached."""

    model_config = ConfigDict(hide_input_in_errors=True)

    url: HttpUrl
    """The address that all paths are below, such as `https://netbox.example.com/api/`."""
    token: SecretStr | None = None
    """Sent as `Authorization: SCHEME TOKEN`."""
    token_scheme: str = "Bearer"  # noqa: S105  # the name of a scheme
    """The word before the token."""
    token_header: str = "Authorization"  # noqa: S105  # the name of a header
    """Another header for the token, such as `X-API-Key`; it is sent there without a scheme."""
    username: str = ""
    """For basic authentication."""
    password: SecretStr | None = None
    oauth2: ClientCredentials | None = None
    """Fetches a token, and renews it when it expires."""
    headers: dict[str, SecretStr] = {}
    """More headers of each request."""

    timeout: float = Field(default=60.0, gt=0)
    """Seconds to wait for each piece of an answer."""
    connect_timeout: float = Field(default=10.0, gt=0)
    """Seconds to wait for a connection."""
    total_timeout: float = Field(default=300.0, gt=0)
    """Seconds until a whole answer has to be there."""
    max_answer_mb: float = Field(default=256.0, gt=0)
    """Megabytes of one answer. A longer one is an error."""
    attempts: int = Field(default=5, ge=1)
    """How often a request is sent, the first time included, if its failure is transient."""
    max_wait: float = Field(default=LONGEST_WAIT, gt=0)
    """Seconds to wait before the next attempt, even if the API asks for more in `Retry-After`."""
    max_calls_per_second: float | None = Field(default=None, gt=0)
    """Requests a second, of all threads together."""
    one_write_at_a_time: bool = False
    """Send requests that change something one after the other, for an API that fails if several come at once."""
    concurrency: int = Field(default=4, ge=1, le=64)
    """Pages that are requested at the same time."""

    verify: bool | Path = True
    """Whether certificates are verified; or the file of the authority that signed them."""
    client_certificate: Path | None = None
    """A PEM file with the certificate of this client, and with its key unless `client_key` has it."""
    client_key: Path | None = None
    proxy: SecretStr | None = None
    """The URL of a proxy, with its credentials where it needs them."""
    trust_environment: bool = False
    """Use the proxies and certificates that environment variables name, such as `HTTPS_PROXY` and `SSL_CERT_FILE`."""

    @field_validator("url")
    @classmethod
    def _refuse_secrets_in_url(cls, url: HttpUrl) -> HttpUrl:
        if url.username or url.password:
            raise ValueError("The URL contains credentials. Use `username` and `password`.")
        if url.query or url.fragment:
            raise ValueError("The URL has a query or a fragment. Use `params` of the records for parameters.")
        return url

    @field_validator("token")
    @classmethod
    def _strip_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token is None:
            return None
        text = token.get_secret_value().strip()  # a token from a file ends with a line break
        if not text:
            raise ValueError("The token is empty. Leave `token` out if the API needs none.")
        _require_header_value(text)
        return SecretStr(text)

    @field_validator("headers")
    @classmethod
    def _require_headers(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for value in headers.values():
            _require_header_value(value.get_secret_value())
        return headers

    @model_validator(mode="after")
    def _require_one_kind(self) -> Self:
        given = {"token": self.token is not None, "username": bool(self.username), "oauth2": self.oauth2 is not None}
        kinds = [f"`{name}`" for name, is_given in given.items() if is_given]
        if len(kinds) > 1:
            raise ValueError(f"{' and '.join(kinds)} cannot be used together. Keep one.")
        if self.password is not None and not self.username:
            raise ValueError("`password` needs `username`.")
        if self.client_key is not None and self.client_certificate is None:
            raise ValueError("`client_key` needs `client_certificate`.")
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the texts that no message may contain."""
        return tuple(secret for secret in self._secrets() if len(secret) >= 4)  # a shorter one would match everywhere

    def _secrets(self) -> Iterator[str]:
        oauth2 = self.oauth2.client_secret if self.oauth2 is not None else None
        for secret in (self.token, self.password, self.proxy, oauth2, *self.headers.values()):
            if secret is not None:
                yield secret.get_secret_value()


def _require_header_value(text: str) -> None:
    """Check here: the error of the HTTP library would contain the value."""
    if not (text.isascii() and text.isprintable()):
        raise ValueError("The value of a header must have printable ASCII characters only.")
