"""The page of the adapter: its file is run against a real server, and its tables are complete."""

from pathlib import Path

import pytest

from diffsync_store.adapters.mapped import MappedAdapter
from diffsync_store.adapters.rest import Paging, RestRecords, RestSettings, Writing
from diffsync_store.mapping.records import RecordMapping
from diffsync_store.project import Project
from tests.adapters.pages import blocks, fields, named_in_tables
from tests.adapters.running import applied
from tests.json_api import JsonApi


def test_the_file_of_the_page_runs(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "devices.csv").write_text("name,site,rack\nsw1,Oslo,3\nsw2,,\n")
    (tmp_path / "syncs.yaml").write_text(blocks("rest.md", "yaml")[0])
    with JsonApi({"name": "sw1", "site": "Bergen"}, {"name": "old"}) as api:
        project = Project(tmp_path / "syncs.yaml", environment={"API_URL": api.url, "API_TOKEN": "t0k3n"})
        assert applied(project, "devices") == (1, 1, 1, 0)
        assert applied(project, "devices") == (0, 0, 0, 0)
        assert api.names == ["sw1", "sw2"]
        assert api.received[0].headers["authorization"] == "Bearer t0k3n"


def test_the_tables_of_the_page_are_complete() -> None:
    own = fields(RestRecords) - fields(RecordMapping)
    assert fields(RestSettings, Paging, Writing) | own <= named_in_tables("rest.md")


def test_the_code_of_the_page_runs() -> None:
    names: dict[str, object] = {}
    exec(blocks("rest.md", "python")[0], names)  # a block of the project's own page
    adapter = names["WikiAdapter"]
    assert isinstance(adapter, type)
    assert issubclass(adapter, MappedAdapter)


@pytest.mark.parametrize("word", ["POST {path}", "PATCH {path}{id}/", "DELETE {path}{id}/"])
def test_the_page_has_the_defaults_of_the_calls(word: str) -> None:
    assert word in {Writing().create, Writing().update, Writing().delete}
