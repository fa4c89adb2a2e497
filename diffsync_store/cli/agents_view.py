"""Show the agents that apply a saved diff together."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from diffsync_store.agents import AgentState, Round
from diffsync_store.cli.formatting import format_time, table
from diffsync_store.diffs import SavedDiff


def agents_table(saved: SavedDiff, found: Round) -> Table:
    """Return a table of the agents of a diff."""
    rows = [
        (
            each.name,
            each.state,
            f"{each.operations:,}",
            each.units,
            each.took_over,
            _working_on(saved, each) or "-",
            format_time(each.seen),
            each.reason or "-",
        )
        for each in found.agents
    ]
    return table(("agent", "state", "operations", "units", "took over", "works on", "last seen", "reason"), rows)


def round_json(saved: SavedDiff, found: Round) -> dict[str, Any]:
    """Return the agents of a diff and their progress for a JSON document."""
    return {
        "units": found.units,
        "units_done": found.units_done,
        "counts": found.counts,
        "closed_by": found.closed_by or None,
        "stopped": found.stopped,
        "agents": [
            {
                "name": each.name,
                "state": each.state,
                "operations": each.operations,
                "units": each.units,
                "took_over": each.took_over,
                "works_on": _working_on(saved, each) or None,
                "began": each.began.isoformat(),
                "seen": each.seen.isoformat(),
                "reason": each.reason,
            }
            for each in found.agents
        ],
    }


def progress_of(found: Round) -> str:
    """Return how far several agents are, in a few words."""
    live = [each for each in found.agents if each.state in {"working", "waiting"}]
    number = f"{len(live)} of {len(found.agents)} agents at work" if live else f"{len(found.agents)} agents"
    done = sum(found.counts.values() if found.closed_by else (each.operations for each in found.agents))
    return f"{number}, {found.units_done} of {found.units or '?'} units, {done:,} operations"


def _working_on(saved: SavedDiff, agent: AgentState) -> str:
    """Return the task and the first object of the unit that an agent works on."""
    if agent.unit is None:
        return ""
    if not agent.unit.ranges:
        return agent.unit.task.value
    start, _ = agent.unit.ranges[0]
    first = next(saved.elements(start, 1)).redacted()
    return (
        f"{agent.unit.task.value} from {first.model} {first.unique_id or first.name} ({agent.unit.elements:,} elements)"
    )
