"""What the rules of a sync leave out of it, given the approvals of its diff."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from diffsync_store.diff import DiffElement
from diffsync_store.enum import OperationState as State
from diffsync_store.journal import Approval
from diffsync_store.rules import Decision, Rules, Ruling
from diffsync_store.selection import Select


class RuledOut(str):
    """Why a rule leaves an operation out. Threads may share it."""

    __slots__ = ("state",)
    state: State

    def __new__(cls, text: str, state: State) -> Self:
        """Return the reason, with the state of the operation."""
        reason = super().__new__(cls, text)
        reason.state = state
        return reason


def state_of(reason: str) -> State:
    """Return the state of an operation that is left out for this reason."""
    return reason.state if isinstance(reason, RuledOut) else State.SUPPRESSED


@dataclass(frozen=True, slots=True)
class Rulings:
    """The rules of a diff, and the approvals that count. Threads may share it.

    Calling it with an element returns why its operation is left out, or None.
    """

    rules: Rules
    approvals: tuple[Approval, ...] = ()
    """Approvals of different people that cover what is applied."""
    assumes_approval: bool = False
    """What waits for an approval is applied too."""

    @classmethod
    def of(cls, rules: Rules, approval: Approval | None, checksum: str, select: Iterable[Select]) -> Rulings:
        """Return the rulings of a sync.

        Args:
            rules: the rules of the diff.
            approval: the last decision about it.
            checksum: the checksum of the diff as it is now.
            select: what the sync applies of it. An approval of another selection does not count.
        """
        given = () if approval is None else (approval, *approval.earlier)
        return cls(
            rules,
            tuple(
                one
                for one in given
                if not one.is_rejected and one.checksum == checksum and one.selected in {(), tuple(select)}
            ),
        )

    def __call__(self, element: DiffElement) -> RuledOut | None:
        """Return why the operation of an element is left out, or None if it is applied."""
        ruling = self.rules.ruling(element)
        if ruling.decision is Decision.APPLY:
            return None
        by = f"by the rule {ruling.rule!r}"
        if ruling.decision is Decision.HOLD:
            return RuledOut(f"suppressed {by}", State.SUPPRESSED)
        if ruling.decision is Decision.IGNORE:
            return RuledOut(f"ignored {by}", State.IGNORED)
        return self._review(element, ruling)

    def _review(self, element: DiffElement, ruling: Ruling) -> RuledOut | None:
        people = [one.by for one in self.approvals if not any(each.matches(element) for each in one.excluded)]
        lacking = ruling.approvers - len(people)
        if lacking <= 0 or self.assumes_approval:
            return None
        rule = f" (rule {ruling.rule!r})" if ruling.rule else ""
        what = "approval" if lacking == 1 else "approvals"
        given = f"; approved by {', '.join(people)}" if people else ""
        return RuledOut(f"waits for {lacking} {what}{rule}{given}", State.WAITING)
