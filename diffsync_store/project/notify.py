"""The keys of notifications: who is notified of what."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, Self, get_args
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, ConfigDict, Field, SecretStr, model_validator

from diffsync_store.project.declaration import Declaration
from diffsync_store.project.variables import names_in

EventName = Literal["approval", "partial", "stopped", "failed", "partial_load", "stale"]
"""What a notification is about."""
EVENTS: tuple[EventName, ...] = get_args(EventName)
_MIN_TOKEN = 10
"""Characters of a part of an address that is redacted alone. Shorter ones, such as `services` and `localhost`, may be ordinary words."""


def validate_webhook(url: SecretStr) -> SecretStr:
    """Check the URL of a webhook, once its variable has a value."""
    text = url.get_secret_value()
    if "${" not in text and urlsplit(text).scheme not in {"http", "https"}:
        raise ValueError("a webhook is an http:// or https:// URL. For another address, use url")
    return url


def secrets_in(url: str) -> Iterator[str]:
    """Yield what nobody may read of an address: all of it, and each long part that may be a token. The name of a host is none."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    tokens = [*parts.path.split("/"), *user.split(":"), host if "." not in host else ""]
    tokens += [value for _, value in parse_qsl(parts.query)]
    yield from (url, *user.split(":")[1:], unquote(user.partition(":")[2]))
    yield from (each for token in tokens for each in (token, unquote(token)) if len(each) >= _MIN_TOKEN)


def _no_repetition(names: list[EventName]) -> list[EventName]:
    if len(set(names)) < len(names):
        raise ValueError("an event is named twice")
    return names


Address = Annotated[SecretStr, Field(examples=["${NOTIFY_URL}"])]
Webhook = Annotated[SecretStr, AfterValidator(validate_webhook), Field(examples=["${WEBHOOK_URL}"])]


class NotifyAddress(Declaration):
    """An address that is notified: its `url`, its `webhook`, or the name of a Prefect `block`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "${SLACK_URL}", "events": ["approval", "failed"]}]}
    )

    url: Address | None = None
    """Any address of the library apprise, from ${VAR}: `mailtos://…`, the URL of an incoming webhook of Slack or Teams, and others."""
    webhook: Webhook | None = None
    """An http:// or https:// URL, from ${VAR}, that gets a JSON document with the fields of the event."""
    block: str | None = Field(None, min_length=1)
    """Name of a notification block of Prefect, as TYPE/NAME, such as `slack-webhook/team`; only `diffsync-flows` uses it."""
    events: Annotated[list[EventName], AfterValidator(_no_repetition)] = Field(
        list(EVENTS), min_length=1, examples=[["approval", "failed"]]
    )
    """What it is notified of; everything by default."""
    syncs: list[str] | None = Field(None, min_length=1, examples=[["nightly"]])
    """The syncs that it is notified of, with the loads of their adapters; all of them by default."""

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if sum(place is not None for place in (self.url, self.webhook, self.block)) != 1:
            raise ValueError("give one of url, webhook and block")
        if self.block is not None and self.block.count("/") != 1:
            raise ValueError("write a block as TYPE/NAME, e.g. slack-webhook/team")
        return self

    @property
    def secret(self) -> SecretStr | None:
        """The URL of the address; None for a block."""
        return self.url or self.webhook

    def plain_secret(self) -> str:
        """Return the key of an address that stands in the file itself, instead of the name of a variable; empty if none does."""
        key = "url" if self.url else "webhook"
        return key if self.secret and not names_in(self.secret.get_secret_value()) else ""

    def undeclared(self, known: Iterable[str]) -> Iterator[tuple[int, str]]:
        """Yield the positions and the names of syncs that the file does not declare."""
        names = set(known)
        yield from ((at, name) for at, name in enumerate(self.syncs or ()) if name not in names)
