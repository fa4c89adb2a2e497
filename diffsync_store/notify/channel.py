"""Send messages with the library apprise."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from diffsync_store.notify.message import Message
from diffsync_store.project import UserError

_INSTALL = "Notifications need the library apprise: pip install 'diffsync-store[notify]'"
_LOGGERS = ("apprise", "urllib3.connectionpool", "requests", "httpx", "httpcore.connection", "httpcore.http11")
"""Loggers of what sends. Their messages may contain addresses, which are secret."""


class Channel(Protocol):
    """Where messages go. Threads may share it."""

    def send(self, message: Message) -> None:
        """Send a message once.

        Raises:
            Exception: it was not sent.
        """


class NotSent(RuntimeError):
    """A message could not be sent."""


class AppriseChannel:
    """An address that apprise knows. Threads may share it.

    Args:
        url: the address.

    Raises:
        UserError: apprise is not installed, or does not know such an address.
    """

    def __init__(self, url: str) -> None:
        apprise = _library()
        self._text = apprise.NotifyFormat.TEXT
        self._sender = apprise.Apprise()
        with hidden_log():
            is_known = self._sender.add(url)
        if not is_known or not len(self._sender):
            raise UserError(
                "apprise does not know this address. Its documentation has the form for each service; for any other server "
                "that takes JSON, use webhook instead of url."
            )

    def send(self, message: Message) -> None:
        """Send a message once.

        Raises:
            NotSent: the service did not accept it.
        """
        with hidden_log() as reasons:
            is_sent = self._sender.notify(title=message.title, body=message.body, body_format=self._text)
        if not is_sent:
            raise NotSent("; ".join(reasons) or "the service did not accept it")


class WebhookChannel:
    """A URL that gets a JSON document: apprise's, with the fields of the event. Threads may share it.

    Args:
        url: the URL.

    Raises:
        UserError: apprise is not installed, or the URL is wrong.
    """

    def __init__(self, url: str) -> None:
        _library()
        self._url = _as_json_address(url)
        self._make({})

    def send(self, message: Message) -> None:
        """Send a message once.

        Raises:
            NotSent: the server did not accept it.
        """
        with hidden_log() as reasons:
            is_sent = self._make(message.data).notify(title=message.title, body=message.body)
        if not is_sent:
            raise NotSent("; ".join(reasons) or "the server did not accept it")

    def _make(self, data: dict[str, Any]) -> Any:
        from apprise import Apprise

        with hidden_log():
            sender: Any = Apprise.instantiate(self._url)
        if sender is None:
            raise UserError(
                "the URL of the webhook is wrong: give scheme, host and path, such as https://example.com/hook"
            )
        sender.payload_extras = {"attachments": "", **data}
        return sender


def _as_json_address(url: str) -> str:
    """Return apprise's address of a URL: it sends on a parameter only if its name has a minus in front."""
    parts = urlsplit(url)
    query = urlencode([(f"-{name}", value) for name, value in parse_qsl(parts.query, keep_blank_values=True)])
    return urlunsplit((parts.scheme.replace("http", "json"), parts.netloc, parts.path, query, ""))


def _library() -> Any:
    try:
        import apprise
    except ImportError:
        raise UserError(_INSTALL) from None
    return apprise


class _OnlyReasons(logging.Filter):
    """Keeps what one thread logs while it sends from every handler, and collects the warnings."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: list[str] = []
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread != self._thread:
            return True
        if record.levelno >= logging.WARNING:
            self.reasons.append(record.getMessage().rstrip("."))
        return False


@contextmanager
def hidden_log() -> Iterator[list[str]]:
    """Yield the warnings that the body logs. No handler gets them."""
    only = _OnlyReasons()
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(only)
    try:
        yield only.reasons
    finally:
        for logger in loggers:
            logger.removeFilter(only)
