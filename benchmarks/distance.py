"""How far a reader has to go to follow one call: `python -m benchmarks.distance`.

Two acts are traced: `apply` of a saved diff of two creates, and the first `add` to an empty store in Redis. Printed are, of each,

- the files and functions of the library that are executed,
- the moves: how often execution goes on in another file of the library, by a call or a return,

and of the `apply` the frames of the library between it and the model's `create`; at last the lines of code of the library and the flows,
without blank lines, comments and docstrings.

Another tree is measured with `PYTHONPATH=TREE python benchmarks/distance.py`.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import io
import sys
import tokenize
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, ClassVar

import structlog

import diffsync_store
from diffsync_store import Adapter, DiffSyncModel
from diffsync_store.store.redis import RedisStore
from tests.servers import RedisServer

LIBRARY = Path(diffsync_store.__file__).parent
FLOWS = ("flows/diffsync_flows", "flows")
"""Where the flows are, in this tree and in older ones."""


@dataclass
class Route:
    """The functions of the library that one call has executed."""

    codes: set[CodeType] = field(default_factory=set)
    moves: int = 0
    frames: int = 0
    """Frames of the library below the model's `create`."""
    _file: str = ""

    @property
    def files(self) -> set[str]:
        return {code.co_filename for code in self.codes}

    def enter(self, code: CodeType) -> None:
        self.codes.add(code)
        self.move_to(code.co_filename)

    def move_to(self, file: str) -> None:
        self.moves += bool(self._file) and file != self._file
        self._file = file

    def __str__(self) -> str:
        text = f"{len(self.files)} files, {len(self.codes)} functions, {self.moves} moves between files"
        return f"{text}, {self.frames} frames below `create`" if self.frames else text


@contextmanager
def traced() -> Iterator[Route]:
    route = Route()

    def profile(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and is_of_library(frame):
            route.enter(frame.f_code)
        elif event == "return" and is_of_library(frame) and frame.f_back is not None and is_of_library(frame.f_back):
            route.move_to(frame.f_back.f_code.co_filename)

    Site.route = route
    sys.setprofile(profile)
    try:
        yield route
    finally:
        sys.setprofile(None)


def is_of_library(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(str(LIBRARY))


class Site(DiffSyncModel):
    _modelname = "site"
    _identifiers = ("name",)
    _attributes = ("region",)
    route: ClassVar[Route] = Route()

    name: str
    region: str = ""

    @classmethod
    def create(cls, adapter: Any, ids: dict[str, Any], attrs: dict[str, Any]) -> Any:
        cls.route.frames = sum(map(is_of_library, stack(sys._getframe(1))))
        return cls.create_base(adapter, ids, attrs)


def stack(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


class Sites(Adapter):
    site = Site
    top_level: ClassVar[list[str]] = ["site"]


def sites(url: str, name: str, number: int) -> Sites:
    adapter = Sites(name, RedisStore(store_id=name, url=url))
    with adapter.store.loading():
        for each in range(number):
            adapter.add(Site(name=f"s{each}"))
    return adapter


def diffs_class() -> Any:
    for name in ("diffsync_store.diffs", "diffsync_store.store.redis_diffs"):
        try:
            return importlib.import_module(name).RedisDiffs
        except ModuleNotFoundError:
            continue
    raise ModuleNotFoundError("no RedisDiffs")


def apply_two_creates(url: str) -> Route:
    source, target = sites(url, "source", 2), sites(url, "target", 0)
    diffs = diffs_class()(url=url)
    saved = diffs.open(diffs.compare(source, target, "diff"))
    with traced() as route:
        result = saved.apply(source, target)
    assert result.created == 2
    return route


def first_add(url: str) -> Route:
    adapter, site = Sites("first", RedisStore(store_id="first", url=url)), Site(name="a")
    with traced() as route:
        adapter.add(site)
    return route


def code_lines(folder: Path) -> int:
    """Lines with code: without blank lines, comments and docstrings."""
    return sum(len(_code_lines(path.read_text("utf-8"))) for path in folder.rglob("*.py"))


def _code_lines(text: str) -> set[int]:
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines = {
        line
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in skipped
        for line in range(token.start[0], token.end[0] + 1)
    }
    docstrings = (
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )
    for node in docstrings:
        lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="name the files too")
    is_listed = parser.parse_args(arguments).list
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    acts: dict[str, Callable[[str], Route]] = {"apply of two creates": apply_two_creates, "first add": first_add}
    for name, act in acts.items():
        with RedisServer("valkey") as server:
            act(server.url)  # what is done once in a process is not of interest
        with RedisServer("valkey") as server:
            route = act(server.url)
        print(f"{name}: {route}")
        for file in sorted(route.files) if is_listed else ():
            print(
                f"  {Path(file).relative_to(LIBRARY)}: {sum(code.co_filename == file for code in route.codes)} functions"
            )
    flows = next(folder for folder in map(LIBRARY.parent.joinpath, FLOWS) if folder.is_dir())
    print(f"lines of code: {code_lines(LIBRARY):,} in the library, {code_lines(flows):,} in the flows")


if __name__ == "__main__":
    main()
