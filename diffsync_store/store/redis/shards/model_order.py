"""The order in which the seal counts objects: children before their parents."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def groups_of(children: Mapping[str, Collection[str]]) -> list[tuple[str, ...]]:
    """Return the models in groups, each after those that it waits for. The models of a group wait for each other.

    Args:
        children: the models that each model waits for. Others wait for none, and are left out.
    """
    reached = {model: _reached(model, children) for model in children}
    groups: dict[tuple[str, ...], None] = {}
    for model in sorted(children, key=lambda each: len({each, *reached[each]})):  # a model may reach itself
        mutual = {other for other in reached[model] if other in children and model in reached[other]}
        groups[tuple(sorted({model, *mutual}))] = None
    return list(groups)


def _reached(model: str, children: Mapping[str, Collection[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [model]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in seen:
                seen.add(child)
                waiting.append(child)
    return seen
