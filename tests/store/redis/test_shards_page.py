"""The example of the page on scaling runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from diffsync_store.store.redis import RedisStore
from tests.servers import RedisServer

PAGE = Path(__file__).parents[3] / "docs/scaling.md"


@pytest.mark.slow
def test_the_example_loads_and_seals_two_shards(redis_server: RedisServer, store_id: str, tmp_path: Path) -> None:
    example = re.findall(
        r"^## Load in shards$.*?^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )[0]
    script = tmp_path / "load.py"
    script.write_text(example.replace('store_id="inventory"', f"store_id={store_id!r}"), "utf-8")
    answers = [
        subprocess.run(
            [sys.executable, script, redis_server.url, task], check=True, capture_output=True, text=True
        ).stdout
        for task in ("us", "eu", "seal")
    ]
    assert answers == ["", "", "complete\n"]
    with RedisStore(store_id=store_id, url=redis_server.url) as store:
        assert list(store.uids("region")) == ["eu", "us"]
        store.drop()
