"""docs/adapters/nautobot.md: its file runs against a real Nautobot, and its tables are complete."""

from pathlib import Path

from diffsync_store.adapters.http import HttpSettings
from diffsync_store.adapters.nautobot import NautobotSettings
from diffsync_store.adapters.rest import RestSettings
from diffsync_store.project import Project
from tests.adapters.pages import blocks, fields, named_in_tables
from tests.adapters.running import applied
from tests.targets.nautobot_server import NautobotServer

PAGE = "nautobot.md"


def test_the_file_of_the_page_runs(tmp_path: Path, nautobot: NautobotServer) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "device-types.csv").write_text(blocks(PAGE, "csv")[0])
    (tmp_path / "syncs.yaml").write_text(blocks(PAGE, "yaml")[0])
    environment = {"NAUTOBOT_URL": nautobot.url, "NAUTOBOT_TOKEN": nautobot.token}
    project = Project(tmp_path / "syncs.yaml", environment=environment)
    assert applied(project, "device-types") == (5, 0, 0, 0)
    assert applied(project, "device-types") == (0, 0, 0, 0)


def test_the_tables_of_the_page_are_complete() -> None:
    own = fields(NautobotSettings) - fields(RestSettings, HttpSettings)
    assert own <= named_in_tables(PAGE)
