"""How many operations change each attribute."""

from collections import defaultdict

from diffsync_store.diffs.outline import Outline

_MOST = 500


def attribute_totals(outline: Outline) -> list[tuple[str, str, dict[str, int]]]:
    """Return model, attribute and the number of operations by action: by model, the attribute with most updates first."""
    found: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for total in outline.totals:
        if total.attribute:
            found[total.model, total.attribute][total.action] = total.operations
    rows = [(model, attribute, actions) for (model, attribute), actions in found.items()]
    return sorted(rows, key=lambda row: (row[0], -row[2].get("update", 0), row[1]))[:_MOST]
