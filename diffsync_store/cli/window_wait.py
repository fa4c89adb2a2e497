"""Wait in a terminal until a window of a sync opens."""

from time import sleep

import typer

from diffsync_store.cli.app import EXIT_DIFFERENCES, echo_error
from diffsync_store.cli.connection import Context
from diffsync_store.runs import OpenWindow, renew_diff

_LOOK_SECONDS = 30.0
"""Pause between two looks at the clock at most: it may be changed meanwhile."""


def wait_for_window(context: Context, window: OpenWindow, diff_id: str, rest_waits: str = "") -> None:
    """Return when a window is open. The diff and its stores are kept meanwhile.

    Args:
        context: the project.
        window: the windows of the sync.
        diff_id: the diff.
        rest_waits: what the rest of the diff waits for, if a part of it is applied.

    Raises:
        typer.Exit: no window opens any more, or the person interrupts.
    """
    if not window.is_closed:
        return
    if window.next_opening is None:
        echo_error(window.refusal)
        raise typer.Exit(EXIT_DIFFERENCES)
    echo_error(f"{rest_waits or window.waits} Ctrl-C ends this; the diff {diff_id} is kept.")
    try:
        while window.is_closed:
            renew_diff(context, diff_id)
            sleep(window.seconds_left(_LOOK_SECONDS))
    except KeyboardInterrupt:
        left = "The rest was not applied." if rest_waits else "Nothing was applied."
        echo_error(f"{left} Apply it in a window: diffsync-store apply {diff_id}")
        raise typer.Exit(EXIT_DIFFERENCES) from None
