"""Questions to a person: on standard error, with the answer from standard input."""

from __future__ import annotations

import sys
from contextlib import nullcontext

import typer

from diffsync_store.cli.answer import is_terminal, read_line, without_echo

_ANSWERS = {"y": True, "yes": True, "n": False, "no": False}


def confirm(question: str) -> None:
    """Ask for a yes.

    Raises:
        typer.Abort: the answer is no, or there is none.
    """
    if not is_confirmed(question):
        raise typer.Abort


def is_confirmed(question: str, *, default: bool = False) -> bool:
    """Ask until the answer is yes or no; an empty answer is the default.

    Raises:
        typer.Abort: the person presses Ctrl-C, or the input ends.
    """
    while (answer := ask(f"{question} [{'Y/n' if default else 'y/N'}]").strip().lower()) not in _ANSWERS:
        if not answer:
            return default
        typer.echo("Answer y or n.", err=True)
    return _ANSWERS[answer]


def ask_for(question: str) -> str:
    """Ask until there is an answer.

    Raises:
        typer.Abort: the person presses Ctrl-C, or the input ends.
    """
    while not (answer := ask(question)):
        pass
    return answer


def ask(question: str, *, is_secret: bool = False) -> str:
    """Ask; the answer may be empty. A terminal does not show a secret.

    Raises:
        typer.Abort: the person presses Ctrl-C, or the input ends.
    """
    has_line_end = is_terminal() and sys.stderr.isatty() and not is_secret
    try:
        with without_echo() if is_secret else nullcontext():
            typer.echo(f"{question}: ", nl=False, err=True)
            return read_line()
    except (KeyboardInterrupt, EOFError):
        has_line_end = False
        raise typer.Abort from None
    finally:
        if not has_line_end:  # no Enter was shown there
            typer.echo(err=True)
