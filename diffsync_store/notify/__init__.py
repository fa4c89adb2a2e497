"""Notify people: of approvals that wait, of syncs that need somebody, and of syncs that are stale."""

from diffsync_store.notify.channel import Channel, NotSent, hidden_log
from diffsync_store.notify.event import (
    Event,
    approval_waits,
    load_failed,
    loaded,
    sync_ended,
    sync_failed,
    trial_message,
)
from diffsync_store.notify.message import Message
from diffsync_store.notify.notifier import Notifier
from diffsync_store.notify.stale import stale_syncs

__all__ = [
    "Channel",
    "Event",
    "Message",
    "NotSent",
    "Notifier",
    "approval_waits",
    "hidden_log",
    "load_failed",
    "loaded",
    "stale_syncs",
    "sync_ended",
    "sync_failed",
    "trial_message",
]
