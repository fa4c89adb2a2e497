"""Tokens of pipelines. A file holds their hashes; nothing holds the tokens."""

import hashlib
import hmac
import logging
import os
import secrets
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from diffsync_store.project import Role, UserError
from diffsync_store.serve.identity.identity import Identity, InvalidName, checked_name
from diffsync_store.serve.identity.refusal import WrongToken
from diffsync_store.serve.identity.roles import with_read

_log = logging.getLogger(__name__)
PREFIX = "dss_"
"""Begins each token, so that scanners of repositories find one."""
_BYTES = 32
_NEW_TOKEN = "Ask for a new token: `diffsync-store token NAME --role ROLE`."  # noqa: S105  # a message


class TokenEntry(BaseModel):
    """One token of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hash: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    roles: tuple[Role, ...] = Field(min_length=1)
    expires: datetime | date | None = None

    def is_expired(self, now: datetime) -> bool:
        """Whether it is no longer valid. A date is valid until its end in UTC."""
        if self.expires is None:
            return False
        if not isinstance(self.expires, datetime):
            return now.date() > self.expires
        limit = self.expires if self.expires.tzinfo else self.expires.replace(tzinfo=UTC)
        return now >= limit


@dataclass(frozen=True)
class _Loaded:
    stamp: tuple[int, int, int]
    entries: Mapping[str, TokenEntry]


class TokenFile:
    """The tokens of a TOML file, which is read again when it changes. Threads may share it.

    Raises:
        UserError: the file is missing, is wrong, or others than its owner can write it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._loaded = self._read()

    def identify(self, token: str, now: datetime | None = None) -> Identity:
        """Return whose token it is. All hashes are compared, each in constant time.

        Raises:
            WrongToken: it is nobody's, or has expired.
        """
        digest, found = hash_of(token), ""
        entries = self._current().entries
        for name, entry in entries.items():
            if hmac.compare_digest(entry.hash, digest):
                found = name
        if not found:
            raise WrongToken(f"The token is unknown. {_NEW_TOKEN}")
        if entries[found].is_expired(now or datetime.now(UTC)):
            raise WrongToken(f"The token has expired. {_NEW_TOKEN}")
        return Identity(found, with_read(entries[found].roles), "token")

    def _current(self) -> _Loaded:
        """Return the entries of the file as it is now.

        Raises:
            WrongToken: the file was removed or has become wrong; then no token is valid.
        """
        with self._lock:
            try:
                if _stamp(self._path.stat()) != self._loaded.stamp:
                    self._loaded = self._read()
            except (OSError, UserError) as error:
                _log.error("No token is accepted: %s", error)
                raise WrongToken(
                    "The server cannot read its token file, so no token is accepted. Its log says why."
                ) from None
            return self._loaded

    def _read(self) -> _Loaded:
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                data = file.read()
        except OSError as error:
            raise UserError(
                f"The token file {self._path} cannot be read: {error.strerror}. Write one with `diffsync-store token`."
            ) from None
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise UserError(f"Others can write the token file {self._path}. Run: chmod go-w {self._path}")
        return _Loaded(_stamp(status), _parse(data, self._path))


def new_token() -> str:
    """Return a new random token."""
    return PREFIX + secrets.token_urlsafe(_BYTES)


def hash_of(token: str) -> str:
    """Return the hash of a token as the file has it. A token has 256 random bits, so that it needs no salt and no slow hash."""
    return f"sha256:{hashlib.sha256(token.encode('utf-8', 'surrogateescape')).hexdigest()}"


def add_token(path: Path, name: str, roles: tuple[Role, ...], expires: date | None = None) -> str:
    """Return a new token, and add its hash to a file, which is created for its owner only.

    Raises:
        UserError: the file has a token of this name, or is wrong.
    """
    old = path.read_text("utf-8") if path.exists() else ""
    if name in _parse(old.encode(), path):
        raise UserError(f"{path} has a token of {name} already. Remove its lines first, or use another name.")
    token = new_token()
    text = f"{old.rstrip()}\n\n" if old.strip() else ""
    replace_text(path, text + toml_lines(name, token, roles, expires))
    return token


def replace_text(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in one step."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def toml_lines(name: str, token: str, roles: tuple[Role, ...], expires: date | None = None) -> str:
    """Return the lines for a token file.

    Raises:
        UserError: the name has characters that are not visible, a quote or a backslash.
    """
    try:
        checked_name(name)
    except InvalidName as error:
        raise UserError(f"{name!r} is not a name for a token: {error}.") from None
    if set(name) & set('"\\'):
        raise UserError(f"{name!r} is not a name for a token: leave out quotes and backslashes.")
    listed = ", ".join(f'"{role}"' for role in roles)
    lines = [f'["{name}"]', f'hash = "{hash_of(token)}"', f"roles = [{listed}]"]
    return "\n".join([*lines, *([f"expires = {expires.isoformat()}"] if expires else [])]) + "\n"


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mtime_ns, status.st_size, status.st_ino


def _parse(data: bytes, path: Path) -> dict[str, TokenEntry]:
    try:
        tables: dict[str, Any] = tomllib.loads(data.decode())
        return {checked_name(name): TokenEntry.model_validate(table) for name, table in tables.items()}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, InvalidName) as error:
        raise UserError(f"The token file {path} is wrong: {error}.") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(f"The token file {path} is wrong: {place}: {first['msg']}.") from None
