"""`diffsync-store init`: ask for two systems, look into them, and write a project file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer

from diffsync_store.adapters.discovery import Address, Collection, Discovery, discovery_of, recognize
from diffsync_store.cli.app import app, echo, echo_error
from diffsync_store.cli.environment import environment
from diffsync_store.cli.formatting import one_line
from diffsync_store.project import ConfigError, Project, find_problems
from diffsync_store.project.draft import (
    WITH_STORE,
    Draft,
    DraftModel,
    Side,
    draft_models,
    draft_text,
    noun_of,
    pair_names,
)
from diffsync_store.redaction import redact_url_passwords

FILE = "syncs.yaml"
_SHOWN = 30
"""Names of collections that a question shows."""
_HOOKS = "diffsync_store.init"
"""Entry points of packages that add files to a new project: each takes the text of the file and returns texts by file names."""


class CannotDraft(Exception):
    """The systems, or what they have, do not fit."""


@dataclass
class _System:
    """One side while it is looked into."""

    address: Address
    discovery: Discovery
    token: str

    def names(self) -> Sequence[str]:
        return self.discovery.names()

    def describe(self, name: str) -> Collection:
        return self.discovery.describe(name)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the new project; it is created if needed.")] = Path(),
    source: Annotated[
        str,
        typer.Option(
            help="System of the source of truth: a folder, a file, a database URL, a web address, or module:function."
        ),
    ] = "",
    target: Annotated[str, typer.Option(help="System to change, named in the same way.")] = "",
    records: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE[=TARGET]", help="Records to sync, such as devices.csv=dcim/devices. Repeat the option."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing; take what is proposed.")] = False,
) -> None:
    """Ask for two systems, look into them, and write a syncs.yaml that matches them. Existing files are kept.

    API tokens are taken from the variables SOURCE_TOKEN and TARGET_TOKEN, or asked for; no file gets one.
    """
    try:
        _init(folder, source, target, records or [], _Questions(is_silent=yes))
    except (CannotDraft, ConfigError, ImportError, ValueError, OSError) as error:
        echo_error(_without_secrets(error))
        raise typer.Exit(1) from None


def _init(folder: Path, source: str, target: str, records: Sequence[str], ask: _Questions) -> None:
    file = folder.absolute() / FILE
    if os.path.lexists(file):
        raise CannotDraft(
            f"{file} exists already. Nothing was written. Name an empty folder: diffsync-store init FOLDER"
        )
    with _opened("source", source, ask) as here, _opened("target", target, ask) as there:
        pairs = _pairs(here, there, records, ask)
        models = draft_models(pairs, here.describe, there.describe)
        ask.for_constants(models)
        draft = Draft(_side("source", here, there, file.parent), _side("target", there, here, file.parent), models)
    written = _write(file, draft)
    _report(draft, written, folder)


@contextmanager
def _opened(side: str, text: str, ask: _Questions) -> Iterator[_System]:
    address = recognize(text or ask.for_system(side))
    token = ask.for_token(side, address) if address.needs_token else ""
    echo_error(f"{side}: {address.type}, {redact_url_passwords(address.location)}")
    try:
        discovery = discovery_of(address, token)
    except ImportError:
        raise
    except Exception as error:  # of a driver or an API
        raise CannotDraft(f"{side}: {_first_line(error)}") from error
    try:
        yield _System(address, discovery, token)
    finally:
        discovery.close()


class _Questions:
    """Ask a person, unless the options answer."""

    def __init__(self, *, is_silent: bool) -> None:
        self._is_silent = is_silent

    def for_system(self, side: str) -> str:
        if self._is_silent:
            raise CannotDraft(f"Name the system: --{side} FOLDER, --{side} URL")
        meaning = "the source of truth" if side == "source" else "the system to change"
        answer: str = typer.prompt(
            f"{side.capitalize()}, {meaning} (folder, file, database URL or web address)", err=True
        )
        return answer

    def for_token(self, side: str, address: Address) -> str:
        name = f"{side.upper()}_TOKEN"
        known = environment().get(name, "")
        if known or self._is_silent:
            return known
        prompt = f"API token of {redact_url_passwords(address.location)} (it is not stored; set {name} to skip this question)"
        answer: str = typer.prompt(prompt, hide_input=True, default="", show_default=False, err=True)
        return answer

    def for_pairs(self, proposed: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        if self._is_silent or len(proposed) == 1:
            return list(proposed)
        return [pair for pair in proposed if typer.confirm(f"Sync {pair[0]} → {pair[1]}?", default=True, err=True)]

    def for_pair(self, here: Sequence[str], there: Sequence[str]) -> tuple[str, str]:
        if self._is_silent:
            raise CannotDraft(
                "No records of the two systems have the same name. Name them: --records SOURCE=TARGET. "
                f"The source has {_listed(here)}. The target has {_listed(there)}."
            )
        return _choose("Records of the source", here), _choose("Records of the target", there)

    def for_constants(self, models: Iterable[DraftModel]) -> None:
        for model in models:
            for name in () if self._is_silent else model.missing:
                prompt = (
                    f"The target requires {model.name}.{name}, which the source does not have. Value for all records"
                )
                value: str = typer.prompt(prompt, default="", show_default=False, err=True)
                if value:
                    model.set_constant(name, value)


def _pairs(
    here: _System, there: _System, records: Sequence[str], ask: _Questions
) -> list[tuple[Collection, Collection | None]]:
    names, other_names = here.names(), there.names()
    if not names:
        raise CannotDraft(f"{redact_url_passwords(here.address.location)} has no records that can be read.")
    if not other_names and there.address.type == "sql":
        return [(here.describe(name), None) for name in _named(records, names) or names]  # an empty database
    chosen = [_pair_of(text, names, other_names) for text in records]
    if not chosen:
        proposed = pair_names(names, other_names)
        chosen = ask.for_pairs(proposed) if proposed else [ask.for_pair(names, other_names)]
    if not chosen:
        raise CannotDraft("No records were chosen, so there is nothing to sync.")
    return [(here.describe(name), there.describe(other)) for name, other in chosen]


def _named(records: Sequence[str], names: Sequence[str]) -> list[str]:
    return [_find(text.partition("=")[0], names, "source") for text in records]


def _pair_of(text: str, names: Sequence[str], other_names: Sequence[str]) -> tuple[str, str]:
    first, equals, second = text.partition("=")
    name = _find(first, names, "source")
    if equals:
        return name, _find(second, other_names, "target")
    found = pair_names([name], other_names)
    if not found:
        raise CannotDraft(
            f"The target has no records like {name}. Name them: --records {name}=TARGET. It has {_listed(other_names)}."
        )
    return found[0]


def _find(text: str, names: Sequence[str], side: str) -> str:
    text = text.strip().strip("/")
    same = [name for name in names if name == text] or [name for name in names if noun_of(name) == noun_of(text)]
    if len(same) != 1:
        raise CannotDraft(f"The {side} has no records {text!r}. It has {_listed(names)}.")
    return same[0]


def _choose(prompt: str, names: Sequence[str]) -> str:
    answer: str = typer.prompt(f"{prompt} ({_listed(names)})", err=True)
    return _find(answer, names, prompt.rpartition(" ")[2])


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _side(side: str, system: _System, other: _System, folder: Path) -> Side:
    address = system.address
    settings, variables = dict(address.settings), {}
    if system.token:
        variables[f"{side.upper()}_TOKEN"] = "its API token"
        settings["token"] = f"${{{side.upper()}_TOKEN}}"
        if system.token.startswith("nbt_"):
            settings["token_scheme"] = "Bearer"  # noqa: S105  # the name of a scheme
    if address.type == "sql" and not settings["url"].startswith("sqlite"):
        variables[f"{side.upper()}_URL"] = redact_url_passwords(settings["url"])
        settings["url"] = f"${{{side.upper()}_URL}}"
    if address.type == "files":
        settings["folder"] = _relative(Path(settings["folder"]).expanduser().absolute(), folder)
    if address.type == "sql" and not system.names():
        settings["create_tables"] = True
    name = address.type if address.type != other.address.type else side
    return Side(name, address.type, settings, variables)


def _relative(path: Path, folder: Path) -> str:
    """Return a path as the file is to have it: a relative one starts at the folder of the file."""
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def _write(file: Path, draft: Draft) -> list[str]:
    """Write the files that are not there yet, and return their names."""
    text = draft_text(draft)
    texts = {FILE: text, **_texts_of_hooks(_with_store(text))}
    new = {name: content for name, content in texts.items() if not os.path.lexists(file.parent / name)}
    file.parent.mkdir(parents=True, exist_ok=True)
    for name, content in new.items():
        with (file.parent / name).open("x", encoding="utf-8") as stream:
            stream.write(content)
    return list(new)


def _with_store(text: str) -> str:
    return re.sub(r"^# store: .*$", WITH_STORE.strip(), text, count=1, flags=re.MULTILINE)


def _texts_of_hooks(text: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for point in entry_points(group=_HOOKS):
        try:
            found |= point.load()(text)
        except ImportError as error:  # the package is there without what it needs
            echo_error(f"{point.name}: {error}")
    return found


def _report(draft: Draft, written: Sequence[str], folder: Path) -> None:
    for name in written:
        echo(f"wrote {folder / name}")
    for model in draft.models:
        for remark in model.remarks():
            echo(f"decide: {remark}")
    variables = {**draft.source.variables, **draft.target.variables}
    unset = [name for name in variables if name not in environment()]
    for problem in _problems(folder / FILE, dict.fromkeys(variables, "x")):
        echo_error(problem)
    echo("")
    echo("Next:")
    for name in unset:
        echo(f"  export {name}=...  # {variables[name]}")
    option = "" if folder == Path() else f" --file {folder / FILE}"
    for command in ("check", f"preview {draft.source.name}", f"plan {draft.sync_name}", f"apply {draft.sync_name}"):
        echo(f"  diffsync-store {command}{option}")


def _problems(file: Path, variables: Mapping[str, str]) -> list[Any]:
    return list(find_problems(Project(file, {**environment(), **variables})))


def _without_secrets(error: Exception) -> str:
    return redact_url_passwords(one_line(str(error) or type(error).__name__))


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
