"""What a person reads when a canary has stopped a sync."""

from __future__ import annotations

from diffsync_store.canary import Canary
from diffsync_store.result import CanaryReport

_SHOWN = 3
_REMEDY = (
    "Nothing else was written. Look at these objects in the target. Then apply the diff again: operations that were not applied are "
    "tried again, and all are checked again. To apply the rest without this check, give a reason: `diffsync-store apply DIFF_ID "
    "--skip-canary REASON`, or the parameter `skip_canary` of a sync's flow run."
)


def stop_message(report: CanaryReport, canary: Canary, first_failure: str) -> str:
    """Return why a sync has stopped after its canary, and what to do.

    Args:
        report: What became of the canary.
        canary: Its settings.
        first_failure: The first operation that was not applied, with the reason; empty if all were.
    """
    parts = []
    if report.not_applied > canary.failures * report.operations:
        allowed = f"more than {canary.failures:.3g} of them" if canary.failures else "and all of them must be"
        parts.append(
            f"{report.not_applied} of {report.operations} operations were not applied, {allowed}. The first: {first_failure}"
        )
    if report.not_settled:
        shown = "; ".join(map(str, report.unsettled[:_SHOWN]))
        more = f"; and {report.not_settled - _SHOWN} more" if report.not_settled > _SHOWN else ""
        read = report.settled + report.not_settled
        parts.append(
            f"{report.not_settled} of {read} objects that were read back do not have what was written: {shown}{more}"
        )
    return f"Stopped after the canary: {' '.join(part.rstrip('.') + '.' for part in parts)} {_REMEDY}"
