import re
from pathlib import Path

import pytest

from airports.registry import Airport, AirportsAdapter, Country, Subdivision, on_grid
from tests.flows.registry import airport, write_registry


def load_registry(folder: Path) -> AirportsAdapter:
    adapter = AirportsAdapter(name="registry", folder=folder)
    adapter.load()
    return adapter


def test_the_registry_becomes_countries_with_subdivisions_with_airports(tmp_path: Path) -> None:
    folder = write_registry(tmp_path, [airport("LSZH"), airport("LSZB", subd="Bern"), airport("KJFK", country="US")])
    adapter = load_registry(folder)
    assert [country.code for country in adapter.get_all(Country)] == ["CH", "US"]
    assert adapter.get(Country, "CH").subdivisions == ["CH__Zurich", "CH__Bern"]
    assert adapter.get(Subdivision, "CH__Bern").airports == ["CH__Bern__LSZB"]
    found = adapter.get(Airport, "CH__Zurich__LSZH")
    assert (found.iata, found.city, found.elevation, found.tz) == ("ZRH", "Zürich", 1416.0, "Europe/Zurich")


def test_an_airport_without_a_subdivision_is_in_the_one_with_an_empty_name(tmp_path: Path) -> None:
    adapter = load_registry(write_registry(tmp_path, [airport("LSZH", subd="", city="")]))
    assert adapter.get(Subdivision, {"country": "CH", "name": ""}).airports == ["CH____LSZH"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("38.7040222222222", "38.704022"),
        ("38.10405", "38.1040499"),
        ("-101.473911111111", "-101.473911"),
        ("0.00001", "-0.00001"),
    ],
)
def test_digits_beyond_the_precision_are_ignored(one: str, other: str) -> None:
    assert str(on_grid(float(one))) == str(on_grid(float(other)))


def test_a_move_beyond_the_precision_is_a_change() -> None:
    assert on_grid(38.7040) != on_grid(38.7042)


def test_an_airport_that_changes_its_subdivision_is_deleted_and_created(tmp_path: Path) -> None:
    before = load_registry(
        write_registry(tmp_path / "before", [airport("LSZH", subd="Zug"), airport("LSZB", subd="Bern")])
    )
    after = load_registry(
        write_registry(tmp_path / "after", [airport("LSZH", subd="Bern"), airport("LSZB", subd="Bern")])
    )
    before.sync_from(after)
    assert not before.diff_from(after).has_diffs()
    assert [found.get_unique_id() for found in before.get_all(Airport)] == ["CH__Bern__LSZB", "CH__Bern__LSZH"]


def test_an_invalid_row_is_an_error_with_its_line(tmp_path: Path) -> None:
    folder = write_registry(tmp_path, [airport("LSZH"), airport("LSZB", lat="north")])
    message = f"{re.escape(str(folder / 'airports.csv'))}:3: lat: Input should be a valid number"
    with pytest.raises(ValueError, match=message):
        load_registry(folder)


def test_a_file_without_airports_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no airports"):
        load_registry(write_registry(tmp_path, []))


def test_a_file_without_a_column_is_refused(tmp_path: Path) -> None:
    (tmp_path / "airports.csv").write_text("icao,country\nLSZH,CH\n")
    with pytest.raises(
        ValueError, match=r"airports.csv:2: subdivision: no column subd; the first line has icao, country"
    ):
        load_registry(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n"])
def test_files_of_other_programs_are_read(tmp_path: Path, encoding: str, end: str) -> None:
    folder = write_registry(tmp_path, [airport("LSZH"), airport("LSZB", name='The "old"\none')])
    file = folder / "airports.csv"
    text = file.read_bytes().decode().replace("\r\n", end)
    file.write_bytes(text.encode(encoding))
    found = load_registry(folder)
    assert [found.get(Airport, f"CH__Zurich__{icao}").city for icao in ("LSZH", "LSZB")] == ["Zürich", "Zürich"]
    assert found.get(Airport, "CH__Zurich__LSZB").name == 'The "old"\none'


FILES = {
    "icao,icao\nLSZH,LSZB\n": "1: the first line repeats the name 'icao'",
    "icao;country\nLSZH;CH\n": "2: country: no column country; the first line has icao;country. Separate columns with commas.",
    "icao,country\nLSZH,CH,CH\n": "2: expected 2 cells, as the first line has, got 3",
    "icao,country\nLSZH\n": "2: expected 2 cells, as the first line has, got 1",
    'icao,country\n"LSZH,CH\nLSZB,CH\n': "3: unexpected end of data",
    "icao,country\nLS\0ZH,CH\n": "2: subdivision: ",
}


@pytest.mark.parametrize(("content", "message"), FILES.items())
def test_a_damaged_file_is_an_error_with_the_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "airports.csv").write_text(content)
    with pytest.raises(ValueError, match=re.escape(f"airports.csv:{message}")):
        load_registry(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "airports.csv").write_bytes(content)
    with pytest.raises(ValueError, match="has no airports"):
        load_registry(tmp_path)


def test_invalid_bytes_are_an_error_with_the_encoding(tmp_path: Path) -> None:
    file = write_registry(tmp_path, [airport("LSZH")]) / "airports.csv"
    file.write_bytes(file.read_bytes().decode().encode("latin-1"))
    with pytest.raises(
        ValueError, match=r"airports.csv:\d+: not utf-8 text at or after this line .*; save the file as UTF-8"
    ):
        load_registry(tmp_path)
