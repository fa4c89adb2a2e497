"""How many operations a diff has."""

from collections import Counter, defaultdict

from diffsync_store.diffs import DiffRecord
from diffsync_store.diffs.outline import Outline
from diffsync_store.report.facts import ACTIONS, counted

_MOST = 500


def attribute_totals(outline: Outline) -> list[tuple[str, str, dict[str, int]]]:
    """Return model, attribute and the number of operations by action: by model, the attribute with most updates first."""
    found: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for total in outline.totals:
        if total.attribute:
            found[total.model, total.attribute][total.action] = total.operations
    rows = [(model, attribute, actions) for (model, attribute), actions in found.items()]
    return sorted(rows, key=lambda row: (row[0], -row[2].get("update", 0), row[1]))[:_MOST]


def heading(record: DiffRecord) -> str:
    """Return the number of operations by action, deletes first, and how many of them guards suppress."""
    suppressed: Counter[str] = Counter()
    for one in record.suppressions:
        suppressed[one.action] += one.count_in(record.by_model)
    return ", ".join(_counted(record.summary.get(action, 0), action, suppressed[action]) for action in ACTIONS)


def _counted(number: int, action: str, suppressed: int) -> str:
    text = counted(number, action)
    return (
        f"{text} ({'all' if suppressed >= number else f'{suppressed:,}'} suppressed by guards)" if suppressed else text
    )
