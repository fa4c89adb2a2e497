"""Show a plan in a terminal: the tree of operations, what is left out and why, and the totals."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Console
from rich.text import Text

from diffsync_store.cli.formatting import one_line, table
from diffsync_store.cli.plan_values import ADDED, CHANGED, REMOVED, Line, change_lines, value_lines
from diffsync_store.cli.render import ACTIONS
from diffsync_store.diffs import SavedDiff
from diffsync_store.enum import StoreState
from diffsync_store.field_rules.left_alone import NO_MEMORY
from diffsync_store.operation import Operation
from diffsync_store.result import Reject, SyncResult
from diffsync_store.runs import Plan
from diffsync_store.store.load_report import Gap
from diffsync_store.store.record import StoreRecord
from diffsync_store.sync.decide import NOT_REJECTED
from diffsync_store.sync.filters import NOT_SELECTED

_SIGNS = {"create": ("+", ADDED), "update": ("~", CHANGED), "delete": ("-", REMOVED)}
_HIDDEN = {NOT_SELECTED, NOT_REJECTED}
"""Reasons of operations that are left out on request, so that they are not shown."""
_LEFT_ALONE = 20
"""Values and objects left alone that are shown."""
_REJECTS = 5
"""Rejects of a model that are shown."""
_INDENT = 2


def show_plan(console: Console, plan: Plan, limit: int) -> None:
    """Print a plan.

    Args:
        console: where to print.
        plan: the plan.
        limit: maximum operations of each action to show; 0 for a summary.
    """
    print_line(console, Text(f"{plan.sync_name}: {_direction(plan)}", "bold"))
    console.print()
    show_gaps(console, (plan.source, plan.target))
    if limit:
        _show_operations(console, plan, limit)
    if not limit or _hidden(plan, limit):
        _show_models(console, plan)
    _show_left_out(console, plan)
    _show_totals(console, plan)


def _direction(plan: Plan) -> str:
    record = plan.saved.record
    undo = f", undo of diff {record.undoes}" if record.undoes else ""
    return one_line(f"{record.source_name} → {record.target_name}{undo}")


def show_gaps(console: Console, records: Iterable[StoreRecord]) -> None:
    """Print what partial loads lack."""
    for record in records:
        for model, gap in record.gaps.items():
            _show_gap(console, record, model, gap)
        if record.gaps:
            console.print()


def _show_gap(console: Console, record: StoreRecord, model: str, gap: Gap) -> None:
    where = f"The load of {record.name} is partial"
    for reason in gap.reasons:
        if not gap.rejected or not reason.startswith(f"{gap.rejected} rejected"):
            print_line(console, Line(Text(one_line(f"{where}: {model}: {reason}"), "yellow"), "! "))
    if gap.rejected:
        print_line(console, Line(Text(one_line(f"{where}: {gap.rejected:,} rejected of {model}:"), "yellow"), "! "))
    for reject in gap.rejects[:_REJECTS]:
        print_line(console, Line(Text(one_line(f"{reject.what}: {reject.reason}")), "- "), _INDENT)
    if gap.rejected > _REJECTS:
        print_line(
            console, Text(f"… and {gap.rejected - _REJECTS:,} more; `plan --json` lists the first 100", "dim"), _INDENT
        )


def show_suppressed(console: Console, operations: Iterable[Reject], plan: Plan) -> None:
    """Print which operations are left out, why, and how to apply them."""
    counted = Counter((each.model, each.action, each.reason) for each in operations)
    if not counted:
        return
    known = {str(one): one for one in plan.suppressions.all}
    print_line(console, Text("Not applied:", "yellow"))
    for (model, action, reason), count in counted.items():
        why = known[reason].reason if reason in known else reason
        text = f"{count:,} {action}{'s' * (count != 1)} of {model}: {why}"
        print_line(console, Line(Text(one_line(text)), "- "), _INDENT)
    if any(reason in known for _, _, reason in counted):
        options = " ".join(f"--allow {shlex.quote(each)}" for each in plan.allow_all)
        print_line(console, Text(one_line(f"If they are correct, apply them once with {options}")), _INDENT)
    console.print()


def show_left_alone(console: Console, saved: SavedDiff, left_alone: Sequence[Reject]) -> None:
    """Print the values and the objects of the target that field rules leave alone, with all values of a conflict."""
    if not left_alone:
        return
    print_line(console, Text("Left alone, because of the field rules of the sync:", "yellow"))
    for each in left_alone[:_LEFT_ALONE]:
        text = f"{each.model} {each.unique_id}: {each.reason}"
        print_line(console, Line(Text(one_line(text)), "- "), _INDENT)
    if len(left_alone) > _LEFT_ALONE:
        more = f"… and {len(left_alone) - _LEFT_ALONE:,} more; `saved.left_alone()` in Python yields them all"
        print_line(console, Text(more, "dim"), _INDENT)
    if not saved.record.had_memory:
        print_line(console, Text(one_line(NO_MEMORY.format(target=saved.record.target_name)), "yellow"), _INDENT)
    console.print()


def totals(result: SyncResult) -> str:
    """Return the totals of a plan in one line."""
    counts = (result.created, result.updated, result.deleted)
    verbs = ("create", "update", "delete")
    line = ", ".join(f"{count:,} to {verb}" for count, verb in zip(counts, verbs, strict=True))
    more = {
        "suppressed": result.suppressed,
        "waiting for an approval": result.waiting,
        "ignored": result.ignored,
        "done before": result.done_before,
        "unknown": result.unknown,
        "not retried": result.failed + result.conflicts + result.blocked,
    }
    rest = "".join(f", {count:,} {name}" for name, count in more.items() if count)
    return f"Plan: {line}{rest}."


def _show_operations(console: Console, plan: Plan, limit: int) -> None:
    states = {each.operation_id: each.state for each in (*plan.result.suppressed_operations, *plan.result.rejects)}
    for operation, is_context in _shown(plan, limit):
        _show_operation(console, operation, states.get(operation.id, ""), is_context=is_context)
    if plan.saved.record.operations:
        console.print()


def _shown(plan: Plan, limit: int) -> Iterator[tuple[Operation, bool]]:
    """Yield the first operations of each action, and the objects above them; and whether it is one of these."""
    hidden = {
        each.operation_id: each.action for each in plan.result.suppressed_operations if each.reason == NOT_SELECTED
    }
    of_hidden = Counter(hidden.values())
    summary = plan.saved.record.summary
    left = {action: min(limit, summary.get(action, 0) - of_hidden[action]) for action in ACTIONS}
    above: list[Operation] = []
    printed = 0
    for operation in plan.saved.elements():
        if not any(left.values()):
            return
        depth = len(operation.parents)
        above[depth:] = [operation]
        printed = min(printed, depth)
        if operation.action is None or operation.id in hidden or not left[operation.action]:
            continue
        left[operation.action] -= 1
        yield from ((each, True) for each in above[printed:depth])
        yield operation, False
        printed = depth + 1


def _show_operation(console: Console, operation: Operation, state: str, *, is_context: bool) -> None:
    depth = len(operation.parents) * _INDENT
    redacted = operation.redacted()
    model, name = one_line(operation.model), one_line(redacted.unique_id or redacted.name)
    if is_context:
        print_line(console, Text(f"  {model} {name}", "dim"), depth)
        return
    title = Text.assemble(_SIGNS[str(operation.action)], f" {model} ", (name, "bold"))
    if state:
        title.append(f"  ({state}, not applied)", "yellow")
    print_line(console, title, depth)
    for line in _lines(operation, console.width - depth - 2 * _INDENT):
        if state:
            line.text.style = "dim"
        print_line(console, line, depth + 2 * _INDENT)


def _lines(operation: Operation, width: int) -> Iterator[Line]:
    changes = operation.redacted_changes()
    old, new = changes.get("-", {}), changes.get("+", {})
    for name in {**old, **new}:
        if name in old and name in new:
            yield from change_lines(name, old[name], new[name], width)
        elif (value := new.get(name, old.get(name))) is not None:
            yield from value_lines(name, value)


def _hidden(plan: Plan, limit: int) -> bool:
    return any(plan.saved.record.summary.get(action, 0) > limit for action in ACTIONS)


def _show_models(console: Console, plan: Plan) -> None:
    rows = [(model, *(counts.get(each, 0) for each in ACTIONS)) for model, counts in plan.saved.record.by_model.items()]
    if rows:
        console.print(table(("model", *ACTIONS), rows))
        console.print()


def _show_rulings(console: Console, plan: Plan) -> None:
    """Print how many operations each rule decides."""
    rows = [
        (one.rule or "approval of the sync", one.decision.value, one.action, one.model, one.count)
        for one in plan.saved.record.rulings
    ]
    if rows:
        console.print(table(("rule", "decision", "action", "model", "operations"), rows))
        console.print()


def _show_left_out(console: Console, plan: Plan) -> None:
    _show_rulings(console, plan)
    for note in plan.saved.record.notes:
        print_line(console, Line(Text(one_line(note), "yellow"), "! "))
    if plan.saved.record.notes:
        console.print()
    show_suppressed(console, plan.result.suppressed_operations, plan)
    show_left_alone(console, plan.saved, plan.result.left_alone)
    counted = Counter((each.state, each.reason) for each in plan.result.rejects)
    for (state, reason), count in counted.items():
        print_line(console, Text.assemble((f"{state.capitalize()}: ", "yellow"), one_line(f"{count:,}: {reason}")))
    if counted:
        console.print()


def _show_totals(console: Console, plan: Plan) -> None:
    if not plan.saved.record.operations:
        if undone := plan.saved.record.undoes:
            console.print(Text(f"No changes: nothing is left to undo of diff {undone}.", "bold green"))
            return
        left = "the field rules leave alone all that differs" if plan.saved.record.left_alone else ""
        equal = left or f"{plan.source.name} and {plan.target.name} do not differ"
        partial = [side.name for side in (plan.source, plan.target) if side.state is not StoreState.COMPLETE]
        but = f" in what was loaded; the load of {' and '.join(partial)} is partial" if partial else ""
        console.print(Text(f"No changes: {equal}{but}.", "bold yellow" if partial else "bold green"))
        return
    if plan.result.applied_before:
        console.print(Text(one_line(plan.result.applied_before)))
        return
    if plan.result.canary is not None and not plan.refusal:
        print_line(console, Text(one_line(f"Canary: {plan.result.canary.text}")))
    console.print(Text(totals(plan.result), "bold"))
    if plan.refusal:
        console.print(Text("\n".join(map(one_line, plan.refusal.splitlines())), "red"))


def shown_note(summary: Mapping[str, int], limit: int) -> str:
    """Return how many operations of each action are shown, if some are not."""
    parts = [f"{min(limit, count):,} of {count:,} {action}s" for action in ACTIONS if (count := summary.get(action, 0))]
    hidden = any(summary.get(action, 0) > limit for action in ACTIONS)
    largest = max((summary.get(action, 0) for action in ACTIONS), default=0)
    return f"Shown: {', '.join(parts)}. See all with --limit {largest}." if hidden and limit else ""


def print_line(console: Console, line: Line | Text, indent: int = 0) -> None:
    """Print a line with an indent that wrapped lines keep; a pipe gets it in one line."""
    text, sign = (line, "") if isinstance(line, Text) else line
    if not console.is_terminal:
        console.print(" " * indent + sign, text, sep="", soft_wrap=True)
        return
    width = max(20, console.width - indent - len(sign))
    for number, part in enumerate(text.wrap(console, width, overflow="fold") or [text]):
        part.rstrip()
        console.print(" " * indent + (" " * len(sign) if number else sign), part, sep="", soft_wrap=True)
