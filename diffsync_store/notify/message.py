"""The text of a notification. What comes from data can neither end a header nor mention a person."""

import re
from dataclasses import dataclass
from typing import Any

from diffsync_store.notify.event import Event, Kind
from diffsync_store.printable import printable
from diffsync_store.redaction import truncate

MAX_TITLE = 150
MAX_REASON = 600
_TITLES: dict[Kind, str] = {
    "approval": "{subject} waits for approval",
    "partial": "{subject} is partial",
    "stopped": "{subject} was stopped",
    "failed": "{subject} failed",
    "partial_load": "the load of {subject} is partial",
    "stale": "{subject} is stale",
    "test": "test of {subject}",
}
_MENTION = re.compile(r"@(?=everyone|here|channel|all\b)", re.IGNORECASE)
_MARKUP = str.maketrans({"<": "(", ">": ")", "`": "'", "[": "(", "]": ")"})


@dataclass(frozen=True)
class Message:
    """A title of one line, a body of a few, and the same as data for a webhook."""

    title: str
    body: str
    data: dict[str, Any]


def message_of(event: Event, project: str, secrets: Any) -> Message:
    """Return the message of an event.

    Args:
        event: the event.
        project: the name of the project.
        secrets: the secrets of the project, which are redacted.
    """
    reason = truncate(_harmless(secrets.redact(event.reason)), MAX_REASON)
    totals = ", ".join(f"{count:,} {name}" for name, count in event.counts.items())
    about = _TITLES[event.kind].format(subject=_harmless(event.subject))
    title = truncate(f"[{project}] {about}{f': {totals}' if totals else ''}", MAX_TITLE)
    lines = [
        totals and f"Totals: {totals}",
        reason and f"Reason: {reason}",
        event.diff_id and f"Diff: {event.diff_id}",
        event.store_id and f"Store: {event.store_id}",
        event.link and f"{'Decide' if event.kind == 'approval' else 'See'}: {event.link}",
        event.run and f"Flow run: {event.run}",
    ]
    body = "\n".join(line for line in lines if line) or about
    data = {
        "event": event.kind,
        "project": project,
        "subject": event.subject,
        "syncs": list(event.syncs),
        "counts": dict(event.counts),
        "reason": reason,
        "diff_id": event.diff_id,
        "store_id": event.store_id,
        "link": event.link,
        "run": event.run,
    }
    return Message(title, body, data)


def _harmless(text: str) -> str:
    """Return a text on one line, without invisible characters, markup of a chat, and mentions of everybody in it."""
    return _MENTION.sub("@ ", printable(text.replace("\n", " ")).translate(_MARKUP))
