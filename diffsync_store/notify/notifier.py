"""Send each event once to the addresses that want it. Nothing of this fails a sync."""

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

from diffsync_store.notify.channel import AppriseChannel, Channel, WebhookChannel
from diffsync_store.notify.event import Event
from diffsync_store.notify.message import Message, message_of
from diffsync_store.project import DAY, NotifyAddress, SyncContext, UserError

_ATTEMPTS = 3
_PAUSE = 1.0
"""Seconds before the second attempt; the third one waits twice as long."""
_REMEMBER = 30 * DAY
"""Seconds for which a sent notification is remembered, at least."""
_log = logging.getLogger(__name__)


class Notifier:
    """Sends events to the addresses in `notify` of a project. Threads may share it, as they share the context.

    Args:
        context: the project.
        find_block: returns the channel of a Prefect block; without it, such addresses are left out.
        warn: gets what could not be sent, without secrets; by default it is logged.
    """

    def __init__(
        self,
        context: SyncContext[Any],
        find_block: Callable[[str], Channel] | None = None,
        warn: Callable[[str], object] = _log.warning,
    ) -> None:
        self._context = context
        self._find_block = find_block
        self._warn = warn

    def send(self, event: Event | None) -> list[str]:
        """Send an event to each address that wants it and has not got it yet; return the names of these addresses.

        An address that does not answer is tried three times. Then a warning says so, and another process may try again.
        """
        if event is None:
            return []
        return [name for name, address in self._wanted(event) if self._send_once(name, address, event)]

    def link_to(self, diff_id: str = "") -> str:
        """Return the page of a diff, or the first page, on the server of `diffsync-store serve`; empty if the file has no `base_url`."""
        page = self._context.project.page_address()
        return f"{page}/diffs/{diff_id}" if page and diff_id else page

    def test(self, name: str, event: Event) -> None:
        """Send an event to one address, whatever it wants.

        Raises:
            Exception: it was not sent; the message has no secrets.
        """
        address = self._context.project.notify_address(name)
        with self._context.project.secrets.redacted_errors():
            self._channel(address).send(self._message(event))

    def can_send_to(self, name: str) -> bool:
        """Return whether this process can send to an address; only a flow can send to a block of Prefect."""
        return self._context.project.declared.notify[name].block is None or self._find_block is not None

    def _wanted(self, event: Event) -> Iterator[tuple[str, NotifyAddress]]:
        for name, address in self._context.project.declared.notify.items():
            concerns = address.syncs is None or set(address.syncs) & set(event.syncs)
            if event.kind in address.events and concerns and self.can_send_to(name):
                yield name, address

    def _send_once(self, name: str, address: NotifyAddress, event: Event) -> bool:
        occasion = f"{name}\n{event.kind}\n{event.subject}\n{event.occurrence}"
        try:
            token = self._context.notices().claim(occasion)
        except Exception as error:  # noqa: BLE001  # a store that does not answer is a reason to send
            self._report(f"Cannot see whether {name} was notified before", error)
            return self._try(name, event)
        if not token:
            return False
        is_sent = self._try(name, event)
        try:
            if is_sent:
                self._context.notices().confirm(occasion, max(_REMEMBER, self._context.project.ttl))
            else:
                self._context.notices().release(occasion, token)
        except Exception as error:  # noqa: BLE001  # at worst it is sent a second time
            self._report(f"Cannot remember whether {name} was notified", error)
        return is_sent

    def _try(self, name: str, event: Event) -> bool:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._channel(self._context.project.notify_address(name)).send(self._message(event))
                return True
            except Exception as error:  # noqa: BLE001  # any library that sends
                if attempt == _ATTEMPTS or isinstance(error, UserError):  # another attempt would not help
                    self._report(f"{name} was not notified that {_what(event)}", error)
                    return False
            time.sleep(_PAUSE * attempt)
        return False

    def _channel(self, address: NotifyAddress) -> Channel:
        if address.url is not None:
            return AppriseChannel(address.url.get_secret_value())
        if address.webhook is not None:
            return WebhookChannel(address.webhook.get_secret_value())
        if self._find_block is None:
            raise UserError("Only a flow can send to a block of Prefect.")
        return self._find_block(str(address.block))

    def _message(self, event: Event) -> Message:
        return message_of(event, self._context.project.declared.project, self._context.project.secrets)

    def _report(self, what: str, error: Exception) -> None:
        reason = self._context.project.secrets.redact(f"{type(error).__name__}: {error}")
        self._warn(f"{what}: {reason}")


def _what(event: Event) -> str:
    return f"{event.subject} is {event.kind.replace('_', ' ')}"
