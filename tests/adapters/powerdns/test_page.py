"""The page of the adapter: its file is run against a real server, and its tables are complete."""

from pathlib import Path

from diffsync_store.adapters.http import HttpSettings
from diffsync_store.adapters.powerdns import PowerDnsSettings
from diffsync_store.adapters.rest import RestSettings
from diffsync_store.project import Project
from tests.adapters.pages import blocks, fields, named_in_tables
from tests.adapters.running import applied
from tests.powerdns_server import API_KEY, PowerDnsServer

PAGE = "powerdns.md"


def test_the_file_of_the_page_runs(tmp_path: Path, powerdns: PowerDnsServer) -> None:
    (tmp_path / "data").mkdir()
    for name, text in zip(("zones.csv", "records.csv"), blocks(PAGE, "csv"), strict=True):
        (tmp_path / "data" / name).write_text(text)
    (tmp_path / "syncs.yaml").write_text(blocks(PAGE, "yaml")[0])
    project = Project(tmp_path / "syncs.yaml", environment={"PDNS_URL": powerdns.url, "PDNS_KEY": API_KEY})
    assert applied(project, "dns") == (5, 0, 0, 0)
    assert applied(project, "dns") == (0, 0, 0, 0)
    found = powerdns.sets("example.org.")
    assert found["example.org.", "MX"] == ["10 mail.example.org.", "20 mail2.example.org."]
    assert found["example.org.", "TXT"] == ['"v=spf1 mx -all"']
    assert found["_sip._tcp.example.org.", "SRV"] == ["0 5 5060 sip.example.org."]
    assert found["example.org.", "NS"] == ["ns1.example.org."]


def test_the_tables_of_the_page_are_complete() -> None:
    own = fields(PowerDnsSettings) - fields(RestSettings, HttpSettings)
    assert own <= named_in_tables(PAGE)
