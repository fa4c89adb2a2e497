"""Functions and objects that an adapter of the type `python` reads."""

from collections.abc import Iterable, Iterator
from typing import Any

DEVICES = [{"name": "a", "rack": 1}, {"name": "b", "rack": 2}]
NUMBER = 7


def generator(first: int = 0, number: int = 3, **_others: Any) -> Iterator[dict[str, Any]]:
    for place in range(first, first + number):
        yield {"name": f"d{place}", "rack": place}


def rows() -> list[dict[str, Any]]:
    return DEVICES


def pages() -> Iterator[list[Any]]:
    yield DEVICES[:1]
    yield [*DEVICES[1:], "no record"]


def broken() -> Iterator[dict[str, Any]]:
    yield DEVICES[0]
    raise ConnectionError("the API is gone")


def text() -> str:
    return "a"


class Resource:
    """As a resource of dlt: it can be iterated over, and called to set its arguments."""

    def __init__(self, number: int = 2) -> None:
        self.number = number

    def __call__(self, number: int) -> "Resource":
        return Resource(number)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return generator(number=self.number)


class Frame:
    """As a DataFrame of pandas."""

    columns = ("name", "rack")

    def to_dict(self, orient: str) -> list[dict[str, Any]]:
        assert orient == "records"
        return [{"name": "a", "rack": 1.0}, {"name": "b", "rack": float("nan")}]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)


class Polars:
    """As a DataFrame of polars."""

    def to_dicts(self) -> list[dict[str, Any]]:
        return DEVICES


resource = Resource()


def frame() -> Any:
    return Frame()


def polars() -> Any:
    return Polars()


def _private() -> Iterable[Any]:
    return DEVICES


def of_regions(regions: str) -> Iterator[dict[str, Any]]:
    yield {"name": f"of {regions}"}
