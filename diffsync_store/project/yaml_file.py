"""A YAML file as plain data that knows the line and column of each value."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from diffsync_store.project.errors import ConfigError, Location, Problem
from diffsync_store.project.messages import suggestion, yaml_message
from diffsync_store.project.yaml_nodes import MAX_DEPTH, TOO_DEEP, NodeReader
from diffsync_store.project.yaml_package import YAML, MarkedYAMLError, MaxDepthExceededError, Node, ReaderError

MAX_BYTES = 2**20
"""Maximum size of a file."""


class YamlFile:
    """Read a file.

    YAML 1.2: `no` and `on` are texts, and `010` is ten. Dates are texts. Tags other than those of the plain values are
    errors. Anchors, aliases and `<<` work, up to a total number of values.

    Args:
        path: the file.

    Raises:
        ConfigError: it cannot be read, or is not YAML.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._positions: dict[Location, tuple[int, int]] = {}
        self.data: Any = {}
        root = self._compose()
        if root is not None:
            reader = NodeReader()
            self.data = reader.read(root)
            self._positions = reader.positions
            if reader.problems:
                raise ConfigError(self.problem(location, message, at) for location, message, at in reader.problems)

    def problem(self, location: Location, message: str, position: tuple[int, int] | None = None) -> Problem:
        """Return a problem at a location.

        Args:
            location: where the value is, or would be: a missing key has the position of its parent.
            message: the message.
            position: line and column, if they are not those of the location.
        """
        line, column = position or self._position(location)
        return Problem(self.path, message, line, column, location)

    def error(self, location: Location, message: str) -> ConfigError:
        """Return an error with one problem."""
        return ConfigError([self.problem(location, message)])

    def undeclared(self, kind: str, name: str, declared: Iterable[str]) -> ConfigError:
        """Return the error of a name that the file does not declare."""
        return self._whole_file(f"no {kind} {name!r} is declared{suggestion(name, declared, 'Declared')}")

    def _position(self, location: Location) -> tuple[int, int]:
        while location and location not in self._positions:
            location = location[:-1]
        return self._positions.get(location, (1, 1))

    def _whole_file(self, message: str) -> ConfigError:
        return ConfigError([Problem(self.path, message)])

    def _compose(self) -> Node | None:
        text = self._text()
        yaml = YAML(typ="safe", pure=True)
        yaml.max_depth = MAX_DEPTH
        yaml.composer.warn_double_anchors = False
        try:
            root: Node | None = yaml.compose(text)
            return root
        except MarkedYAMLError as error:
            mark = error.problem_mark
            line, column = (mark.line, mark.column) if mark else (0, 0)
            is_deep = isinstance(error, MaxDepthExceededError)
            message = TOO_DEEP if is_deep else yaml_message(error, text)
            raise ConfigError([Problem(self.path, message, line + 1, column + 1)]) from None
        except ReaderError as error:
            before = text[: error.position]
            line, column = before.count("\n") + 1, error.position - (before.rfind("\n") + 1) + 1
            message = f"invalid YAML: the character {chr(error.character)!a} is not allowed; remove it"
            raise ConfigError([Problem(self.path, message, line, column)]) from None

    def _text(self) -> str:
        try:
            with self.path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            raise self._whole_file("no such file. Check the path: --file, or DIFFSYNC_CONFIG.") from None
        except OSError as error:
            message = f"cannot be read: {error.strerror}. Check the path: --file, or DIFFSYNC_CONFIG."
            raise self._whole_file(message) from None
        if len(content) > MAX_BYTES:
            raise self._whole_file(f"larger than {MAX_BYTES:,} bytes. Check the path: --file, or DIFFSYNC_CONFIG.")
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise self._whole_file(f"not UTF-8 in line {line}: {error.reason}. Save the file as UTF-8.") from None
