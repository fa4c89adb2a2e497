"""Count the files and functions that a reader has to visit to follow one call: `python -m benchmarks.distance`.

It traces two calls: `apply` of a saved diff with two creates, and the first `add` to an empty store in Redis. For each, it prints

- the number of files and functions of the library that are executed,
- the number of moves between files, by a call or a return.

For the `apply`, it also prints the number of stack frames of the library below the model's `create`. At the end it prints the lines of
code of the library and of the flows, without blank lines, comments and docstrings.

To measure another source tree, run `PYTHONPATH=TREE python benchmarks/distance.py`.
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
"""Folder of the flows, in this source tree and in older ones."""


@dataclass
class Trace:
    """The library functions that one call executed."""

    codes: set[CodeType] = field(default_factory=set)
    moves: int = 0
    frames: int = 0
    """Stack frames of the library below the model's `create`."""
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


_frames: list[int] = []
"""Stack frames of the library below each `create`. Not an attribute of the model: changing a class clears its caches."""


@contextmanager
def traced() -> Iterator[Trace]:
    trace = Trace()

    def profile(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and is_of_library(frame):
            trace.enter(frame.f_code)
        elif event == "return" and is_of_library(frame) and frame.f_back is not None and is_of_library(frame.f_back):
            trace.move_to(frame.f_back.f_code.co_filename)

    sys.setprofile(profile)
    try:
        yield trace
    finally:
        sys.setprofile(None)
        trace.frames = max(_frames, default=0)
        _frames.clear()


def is_of_library(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(str(LIBRARY))


class Site(DiffSyncModel):
    _modelname = "site"
    _identifiers = ("name",)
    _attributes = ("region",)

    name: str
    region: str = ""

    @classmethod
    def create(cls, adapter: Any, ids: dict[str, Any], attrs: dict[str, Any]) -> Any:
        _frames.append(sum(map(is_of_library, stack(sys._getframe(1)))))
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


def apply_two_creates(url: str) -> Trace:
    source, target = sites(url, "source", 2), sites(url, "target", 0)
    diffs = diffs_class()(url=url)
    saved = diffs.open(diffs.compare(source, target, "diff"))
    with traced() as trace:
        result = saved.apply(source, target)
    assert result.created == 2
    return trace


def first_add(url: str) -> Trace:
    adapter, site = Sites("first", RedisStore(store_id="first", url=url)), Site(name="a")
    with traced() as trace:
        adapter.add(site)
    return trace


def code_lines(folder: Path) -> int:
    """Return the number of lines that are not blank, a comment or a docstring."""
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
    parser.add_argument("--list", action="store_true", help="also list the files")
    is_listed = parser.parse_args(arguments).list
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    calls: dict[str, Callable[[str], Trace]] = {"apply of two creates": apply_two_creates, "first add": first_add}
    for name, call in calls.items():
        with RedisServer("valkey") as server:
            call(server.url)  # warm up: leaves out what runs once in a process
        with RedisServer("valkey") as server:
            trace = call(server.url)
        print(f"{name}: {trace}")
        for file in sorted(trace.files) if is_listed else ():
            print(
                f"  {Path(file).relative_to(LIBRARY)}: {sum(code.co_filename == file for code in trace.codes)} functions"
            )
    flows = next(folder for folder in map(LIBRARY.parent.joinpath, FLOWS) if folder.is_dir())
    print(f"lines of code: {code_lines(LIBRARY):,} in the library, {code_lines(flows):,} in the flows")


if __name__ == "__main__":
    main()
