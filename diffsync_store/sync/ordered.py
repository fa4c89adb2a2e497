"""Applying a whole diff under guards: its parts in their order or side by side, deletes last where that is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby, islice
from typing import TYPE_CHECKING

from diffsync_store.diff import DiffElement, walk
from diffsync_store.enum import DiffSyncActions, DiffSyncModelFlags
from diffsync_store.enum import OperationState as State
from diffsync_store.exceptions import JournalLost
from diffsync_store.sync.bulk import BulkSyncer, Placed, merged_families
from diffsync_store.syncer import batches

if TYPE_CHECKING:
    from diffsync_store.model import DiffSyncModel

Later = tuple[DiffElement, tuple[str, str] | None]
"""A delete that is to be done last, with model and unique id of what it stands below."""

_DELETES = 500
"""Deletes whose objects are fetched at once."""


class OrderedSyncer(BulkSyncer):
    """A guarded sync of all of a diff, from what a sync before it has left."""

    later: list[Later]
    """Deletes that are to be done last."""
    held_deletes: dict[str, str]
    """Those of them that are held, with the reason."""
    deleting_late = False

    def _apply_all(self) -> None:
        self.later, self.held_deletes = [], {}
        if self.may_lack_entries:
            self._require_lookups()
        if self.is_resumed or self.options.workers > 1:
            self.recreated = self._recreated()
        with self.team.at_work(), self.ledger:
            for batch in batches(self._wanted(self.diff.get_children())):
                self._prepare(batch)
                held = self._fetch(batch)
                for _, alike in groupby(batch, key=lambda element: element.type):  # models may need those before them
                    self._work_on(list(alike))
                held.clear()
            self.team.do(self._delete_last, [self.later], self.pace.end)

    def _prepare(self, batch: list[DiffElement]) -> None:
        """Read what the journal knows of elements and those below them, and judge what is held."""
        if self.is_resumed:
            self.entries = self._entries_of(element for element, _ in walk(iter(batch), None))
        if self.selection.has_rules:
            self.holds = {name: why for element in batch for name, why in self.selection.held(element).items()}

    def _require_lookups(self) -> None:
        """Refuse to go on where nobody can tell what was done."""
        waiting: Counter[str] = Counter()
        for batch in batches(self._wanted(self.diff.get_children())):
            elements = [element for element, _ in walk(iter(batch), None) if element.action is not None]
            known = self.journal.read([element.operation_id for element in elements])
            waiting.update(element.type for element in elements if element.operation_id not in known)
        blind = [f"{count} of {model}" for model, count in waiting.items() if not self._offers(model, "lookup")]
        if blind:
            raise JournalLost(
                "Redis was restarted, or failed over, since this sync began: its journal may lack what was done last. Of "
                f"the operations that are left, {', '.join(blind)} cannot be looked up in the target, and some may have "
                "been done. Nothing was sent. Load the target again, make a new diff and apply it. Where Redis keeps "
                "every write (appendonly yes, appendfsync always, no failover), go on with `trust_journal`: "
                "SyncOptions(trust_journal=True), or `apply: {trust_journal: true}` of the sync in the flows' file; a model "
                "with a `lookup` needs neither."
            )

    def _recreated(self) -> dict[tuple[str, str], str]:
        creates: dict[tuple[str, str], str] = {}
        deletes: set[tuple[str, str]] = set()
        for element, _ in walk(self.diff.get_children(), None):
            if element.action == DiffSyncActions.CREATE:
                creates[self._key(element)] = element.operation_id
            elif element.action == DiffSyncActions.DELETE:
                deletes.add(self._key(element))
        return {key: created for key, created in creates.items() if key in deletes}

    def _work_on(self, elements: list[DiffElement]) -> None:
        """Apply elements of one model side by side; those between which something moves one after the other."""
        if self.options.workers == 1:
            self._foresee(elements)
            self.team.do(self._work_in_order, [elements], self.pace.end)
            return
        bound = [element for element in elements if self.recreated and self._is_bound(element)]
        ids = set(map(id, bound))
        free = [element for element in elements if id(element) not in ids]
        self.team.do(
            self._work, self._units([(element, None) for element in free], self.options.workers), self.pace.end
        )
        self.team.do(self._work_in_order, [bound] if bound else [], self.pace.end)

    def _is_bound(self, element: DiffElement) -> bool:
        return any(self._key(below) in self.recreated for below, _ in walk(iter([element]), None))

    def _work_in_order(self, elements: list[DiffElement]) -> None:
        for unit in self._units([(element, None) for element in elements]):
            self._work(unit)

    def _foresee(self, elements: list[DiffElement]) -> None:
        """Tell the ledger what is to come and can be looked up, where nothing is known of it yet."""
        self.ledger.foresee(
            element.operation_id
            for element, _ in walk(iter(elements), None)
            if element.action is not None
            and element.operation_id not in self.entries
            and element.operation_id not in self.holds
            and self._offers(element.type, "lookup")
            and (self.deleting or element.action != DiffSyncActions.DELETE)
        )

    def _work(self, unit: list[Placed]) -> None:
        """Apply elements of the top."""
        if self.pace.has_ended:
            return
        if self.options.workers == 1:
            self._apply_unit(unit)
            return
        with self._told_at_the_end():
            self._foresee([element for element, _ in unit])
            self._apply_unit(unit)

    @contextmanager
    def _told_at_the_end(self) -> Iterator[None]:
        """Tell the journal everything that this thread has to tell, without having the turn meanwhile."""
        try:
            yield
        finally:
            with self.team.elsewhere():
                self.ledger.close()

    def _apply_element(self, element: DiffElement, obj: DiffSyncModel | None, parent: DiffSyncModel | None) -> None:
        if element.action == DiffSyncActions.DELETE and not self.deleting:
            self._postpone(element, (parent.get_type(), parent.get_unique_id()) if parent is not None else None)
            return
        super()._apply_element(element, obj, parent)

    def _postpone(self, element: DiffElement, above: tuple[str, str] | None) -> None:
        self.later.append((element, above))
        if element.operation_id in self.holds:
            self.held_deletes[element.operation_id] = self.holds[element.operation_id]
        obj = self.target.store.at_hand(element.type, self._uid(element))
        if not self._has_flag(element, obj, DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE):
            for below in element.get_children():
                self._postpone(below, self._key(element))

    def _delete_last(self, later: list[Later]) -> None:
        """Delete from the last to the first, so that nothing goes before what stands below it."""
        with self._told_at_the_end():
            self._delete_backwards(later)

    def _delete_backwards(self, later: list[Later]) -> None:
        self.deleting = self.deleting_late = True
        self.holds = self.held_deletes
        stuck: set[tuple[str, str] | None] = set()
        for level in reversed(list(self._levels(later))):
            waiting = reversed(level)
            while batch := list(islice(waiting, _DELETES)):
                if self.is_resumed:
                    self.entries = self._entries_of(element for element, _ in batch)
                held = self._fetch([element for element, _ in batch])
                for unit in self._units_of_deletes(batch):
                    stuck.update(self._delete_unit(unit, stuck))
                held.clear()

    def _levels(self, later: list[Later]) -> Iterator[list[Later]]:
        """What is deleted last; where hooks take many, from the top down, so that those of one model stand together."""
        if self.options.bulk == 1 or not self._has_bulk_hooks:
            yield later
            return
        below: dict[tuple[str, str] | None, list[Later]] = {}
        keys = {self._key(element) for element, _ in later}
        for element, above in later:
            below.setdefault(above if above in keys else None, []).append((element, above))
        level = below.pop(None, [])
        while level:
            yield level
            level = list(merged_families([below.pop(self._key(element), []) for element, _ in level]))

    def _units_of_deletes(self, batch: list[Later]) -> Iterator[list[Later]]:
        for model, alike in groupby(batch, key=lambda found: found[0].type):
            unit = list(alike)
            size = self.options.bulk if self._offers(model, "delete_many") else 1
            for start in range(0, len(unit), size):
                yield unit[start : start + size]

    def _delete_unit(self, unit: list[Later], stuck: set[tuple[str, str] | None]) -> Iterator[tuple[str, str] | None]:
        """Delete; tell below what something stays."""
        placed: list[Placed] = []
        aboves: list[tuple[str, str] | None] = []
        for element, above in unit:
            has_gone = self._has_gone(element)
            if has_gone is None and self._key(element) in stuck and element.operation_id not in self.holds:
                self._refuse(element, State.BLOCKED, "A delete below it was not done.")
                has_gone = False
            if has_gone is None:
                placed.append((element, above and self.target.store.fetch(above[0], [above[1]]).get(above[1])))
                aboves.append(above)
            elif not has_gone:
                yield above
        objects = [self.target.store.at_hand(element.type, self._uid(element)) for element, _ in placed]
        outcomes = (self._operate_singly if len(placed) == 1 else self._operate_together)(placed) if placed else []
        for (element, _), obj, (goes_on, _), above in zip(placed, objects, outcomes, aboves, strict=True):
            is_done = self._is_done(element, goes_on)
            if self._has_flag(element, obj, DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE):
                settle = self._skip_children if is_done else self._block
                settle(element)
            if not is_done:
                yield above

    def _has_gone(self, element: DiffElement) -> bool | None:
        """Whether an object that is not to be deleted here has gone otherwise; None where it is to be deleted."""
        return True if self._key(element) in self.gone_ahead else None
