"""Random syncs of a database are undone: every row is as before, or listed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from diffsync_store import DiffSyncFlags
from diffsync_store.diffs import RedisDiffs
from tests.adapters.sql.conftest import Make, apply, loaded, rows, run, source_of

NUMBER = int(os.environ.get("RANDOM_UNDOS", "8"))
EVERYTHING = (
    "SELECT r.name, p.name FROM regions r LEFT JOIN regions p ON p.id = r.parent_id ORDER BY 1",
    'SELECT s.name, r.name FROM "Sites" s LEFT JOIN regions r ON r.id = s.region_id ORDER BY 1',
    'SELECT s.name, k.name, k.units FROM racks k JOIN "Sites" s ON s.id = k.site_id ORDER BY 1, 2',
    'SELECT d.name, s.name, d.rack_name, d."Serial No", d."select" FROM devices d LEFT JOIN "Sites" s ON s.id = d.site_id ORDER BY 1',
)


@pytest.fixture
def diffs(redis_url: str) -> Iterator[RedisDiffs]:
    diffs = RedisDiffs(url=redis_url, ttl=600)
    yield diffs
    diffs.close()


def content(engine: sa.Engine) -> list[list[tuple[Any, ...]]]:
    return [rows(engine, statement) for statement in EVERYTHING]


def drawn(random: Random) -> dict[str, list[dict[str, Any]]]:
    """Return a random inventory without duplicates; some of its racks are refused by the database."""
    regions = random.sample([f"r{n}" for n in range(6)], random.randint(0, 6))
    sites = random.sample([f"s{n}" for n in range(8)], random.randint(0, 8))
    racks = [(site, name) for site in sites for name in random.sample(["a", "b", "ü"], random.randint(0, 3))]
    devices = random.sample([f"d{n}" for n in range(25)], random.randint(0, 25))
    texts = [None, "", "x", "Ωmega", "  two  spaces ", "it's\n'new'"]
    return {
        "region": [
            {"name": name, "parent": random.choice([None, *regions[:number]])} for number, name in enumerate(regions)
        ],
        "site": [{"name": name, "region": random.choice([None, *regions])} for name in sites],
        "rack": [
            {"site": site, "name": name, "units": random.choice([1, 2, 47, 48, -1 if random.random() < 0.1 else 3])}
            for site, name in racks
        ],
        "device": [
            {
                "name": name,
                **dict(zip(("site", "rack"), random.choice([(None, None), *racks]), strict=True)),
                "serial": random.choice(texts),
                "select": random.choice(texts),
            }
            for name in devices
        ],
    }


@pytest.mark.parametrize("seed", range(NUMBER))
@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.server)], indirect=True)
def test_random_syncs_are_undone(inventory: sa.Engine, make: Make, diffs: RedisDiffs, seed: int) -> None:
    random = Random(seed)
    apply(source_of(drawn(random)), loaded(make()))
    before = content(inventory)
    source, target = source_of(drawn(random)), loaded(make())
    saved = diffs.open(diffs.save(target.diff_from(source)))
    flags = DiffSyncFlags.CONTINUE_ON_FAILURE
    saved.apply(source, target, flags=flags)
    after = content(inventory)
    touched = set()
    if seed % 2 and (names := [row[0] for row in after[3]]):
        touched = set(random.sample(names, min(3, len(names))))
        run(inventory, *(f"""UPDATE devices SET "Serial No" = 'theirs' WHERE name = '{name}'""" for name in touched))
    present = loaded(make())
    undo = diffs.undo(saved, present)
    undoing = diffs.open(undo.diff_id)
    assert undoing.record.undoes == saved.record.diff_id
    result = undoing.apply(source, present, flags=flags)
    listed = {each.unique_id for each in undo.not_undone}
    assert listed <= touched
    kept = {(each.model, each.action) for each in result.rejects}  # what a kept device refers to cannot be deleted
    assert not kept or (listed and kept <= {("rack", "delete"), ("site", "delete"), ("region", "delete")}), (
        result.rejects
    )
    now = content(inventory)
    assert now[:3] == before[:3] or kept
    differing = {row[0] for row in {*now[3]} ^ {*before[3]}}
    assert differing <= touched
    again = diffs.undo(saved, loaded(make()))
    assert diffs.open(again.diff_id).record.operations == len(result.rejects)
    if not touched:
        present = loaded(make())
        redone = diffs.open(diffs.undo(undoing, present).diff_id)
        redone.apply(source, present, flags=flags)
        redone.drop()
        assert content(inventory) == after
    for diff_id in (undo.diff_id, again.diff_id, saved.record.diff_id):
        diffs.open(diff_id).drop()
