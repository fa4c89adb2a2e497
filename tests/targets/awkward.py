"""Device types that are awkward to keep equal, in small trees of files: the same tests for each system."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from diffsync_store import StoreState
from diffsync_store.adapters.files import FilesAdapter
from diffsync_store.adapters.rest import RestAdapter
from tests.device_types import library
from tests.targets.given import changes, loaded, synced

MakeTarget = Callable[[], RestAdapter]


def device_type(model: str, lists: str = "", *, manufacturer: str = "Acme", comments: str = "") -> str:
    text = f"manufacturer: {manufacturer}\nmodel: {model}\nu_height: 1\ncomments: {comments!r}\n"
    return text + lists


def interfaces(*names: str) -> str:
    return "interfaces:\n" + "".join(f"  - {{name: '{name}', type: virtual}}\n" for name in names)


class AwkwardTypes:
    """Subclass it with a fixture `make_target`, which makes loaded adapters of an empty system."""

    @pytest.fixture
    def read(self, tmp_path: Path) -> Callable[..., FilesAdapter]:
        """Writes the files of a library, by name and content, in the place of those before, and loads them."""

        def read(**files: str) -> FilesAdapter:
            folder = tmp_path / "device-types" / "Acme"
            folder.mkdir(parents=True, exist_ok=True)
            for old in folder.iterdir():
                old.unlink()
            for name, content in files.items():
                (folder / f"{name}.yaml").write_text(content, "utf-8")
            return loaded(library(tmp_path))

        return read

    def test_a_type_and_a_port_that_are_renamed_by_case_alone(self, read: Any, make_target: MakeTarget) -> None:
        synced(
            read(one=device_type("switch-a", interfaces("eth0")), two=device_type("B", interfaces("mgmt"))),
            make_target(),
        )
        after = read(one=device_type("Switch-A", interfaces("eth0")), two=device_type("B", interfaces("Mgmt")))
        result = synced(after, make_target())
        assert result.rejects == []
        assert changes(after, make_target()) == {}

    def test_names_that_are_the_same_number(self, read: Any, make_target: MakeTarget) -> None:
        source = read(one=device_type("'01'", interfaces("1", "01", "1.0")), two=device_type("'1'", interfaces("1")))
        assert synced(source, make_target()).created == 1 + 2 + 4
        target = make_target()
        assert changes(source, target) == {}
        assert names_of(target) == [("01", "01"), ("01", "1"), ("01", "1.0"), ("1", "1")]

    def test_two_files_with_one_key(self, read: Any, make_target: MakeTarget) -> None:
        """The second file is a reject with its key, and nothing of the first one is deleted for it."""
        synced(read(one=device_type("MX304", interfaces("et-0/0/0"))), make_target())
        source = read(
            one=device_type("MX304", interfaces("et-0/0/0")),
            other=device_type("MX304", interfaces("et-0/0/0", "et-0/0/1")),
        )
        record = source.store.record()
        assert record.state is StoreState.PARTIAL
        assert [reject.what for reject in record.gaps["device_type"].rejects] == ["Acme__MX304"]
        result = synced(source, make_target())
        assert (result.deleted, result.failed) == (0, 0)
        assert changes(source, make_target()) == {}

    def test_a_front_port_without_its_rear_port(self, read: Any, make_target: MakeTarget) -> None:
        """It is a reject that names the rear port, and all others are written."""
        ports = (
            "rear-ports:\n  - {name: R1, type: lc, positions: 2}\n"
            "front-ports:\n  - {name: F1, type: lc, rear_port: R1}\n  - {name: F2, type: lc, rear_port: R9}\n"
        )
        source = read(one=device_type("P1", ports))
        result = synced(source, make_target())
        [reject] = result.rejects
        assert reject.unique_id == "Acme__P1__F2"
        assert "R9" in reject.reason
        assert result.created == 4
        assert changes(source, make_target()) == {"create": 1}

    def test_texts_that_end_with_line_breaks(self, read: Any, make_target: MakeTarget) -> None:
        ports = "interfaces:\n  - name: 'eth0 '\n    type: virtual\n    description: |\n      Uplink\n\n"
        source = read(one=device_type("'T1 '", ports, comments="One.\n\nTwo.\n"))
        assert synced(source, make_target()).created == 3
        assert changes(source, make_target()) == {}


def names_of(target: RestAdapter) -> Sequence[tuple[str, str]]:
    return sorted((each.model, each.name) for each in target.get_all("interface"))
