"""Questions: answers, Ctrl-C at any moment, other signals, threads, inputs that are no terminal."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import typer

from diffsync_store.cli.asking import ask, ask_for, confirm, is_confirmed
from tests.cli.terminal import Terminal

PRESSES = 200
BUSY = """
import threading, time
def work():
    while True:
        time.sleep(0.0005)
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
"""
PROGRAM = """
import signal, sys
import typer
from diffsync_store.cli.asking import ask, confirm
"""


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A pipe as standard input; the test writes what a person types."""
    reader, writer = os.pipe()
    with os.fdopen(reader) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield writer
    os.close(writer)


def in_terminal(folder: Path, program: str) -> Terminal:
    return Terminal([sys.executable, "-c", PROGRAM + program], folder, os.environ)


def test_ctrl_c_right_after_the_question_ends_it(tmp_path: Path) -> None:
    loop = f"""
for number in range({PRESSES}):
    try:
        confirm(f"Question {{number}}?")
    except typer.Abort:
        print(f"aborted {{number}}", flush=True)
"""
    with in_terminal(tmp_path, BUSY + loop) as terminal:
        for number in range(PRESSES):
            terminal.read_until(f"Question {number}? [y/N]: ")
            terminal.press("\x03")
            terminal.read_until(f"aborted {number}\n")
        assert terminal.wait() == 0


def test_ctrl_c_that_does_not_interrupt_the_read_ends_it(tmp_path: Path) -> None:
    """As one does that comes just before the read: here it comes in another thread."""
    program = """
import threading, time
from pathlib import Path
def interrupt():
    while not Path("pressed").exists():
        time.sleep(0.01)
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()
confirm("Now?")
"""
    with in_terminal(tmp_path, program) as terminal:
        terminal.read_until("Now? [y/N]: ")
        (tmp_path / "pressed").touch()
        assert terminal.wait() == 1
        assert "Abort" in terminal.plain


@pytest.mark.parametrize("handler", ["signal.SIG_DFL", "lambda *_: sys.exit(7)"])
def test_sigterm_ends_the_program(tmp_path: Path, handler: str) -> None:
    with in_terminal(tmp_path, f"signal.signal(signal.SIGTERM, {handler})\nconfirm('Now?')") as terminal:
        terminal.read_until("Now? [y/N]: ")
        terminal.process.terminate()
        assert terminal.wait() in {7, -signal.SIGTERM}


def test_a_question_goes_on_after_a_handler(tmp_path: Path) -> None:
    program = "signal.signal(signal.SIGUSR1, lambda *_: print('handled', flush=True))\nprint(ask('Name').upper())"
    with in_terminal(tmp_path, program) as terminal:
        terminal.read_until("Name: ")
        for count in (1, 2, 3):
            terminal.process.send_signal(signal.SIGUSR1)
            terminal.read_until("handled\n" * count)
        terminal.press("ann\n")
        assert terminal.wait() == 0
        assert terminal.plain.endswith("ANN\n")


@pytest.mark.parametrize(("end", "is_answered"), [("secret-7\n", True), ("secret\x03", False), ("\x04", False)])
def test_a_terminal_does_not_show_a_secret_and_shows_the_next_answer(
    tmp_path: Path, end: str, *, is_answered: bool
) -> None:
    program = """
try:
    print(ask("Token", is_secret=True) == "secret-7", flush=True)
except typer.Abort:
    print("aborted", flush=True)
ask("Name")
"""
    with in_terminal(tmp_path, program) as terminal:
        terminal.read_until("Token: ")
        terminal.press(end)
        terminal.read_until("True\n" if is_answered else "aborted\n")
        terminal.read_until("Name: ")
        terminal.press("shown\n")
        assert terminal.wait() == 0
        assert "secret" not in terminal.plain
        assert "Name: shown\n" in terminal.plain


def test_each_question_reads_one_line(keyboard: int) -> None:
    os.write(keyboard, "Åse\r\n\n\nOslo\nmaybe\n YES \n\nno\n".encode())
    assert ask("Name") == "Åse"
    assert ask("Nickname") == ""
    assert ask_for("Site") == "Oslo"
    assert is_confirmed("Sure?")
    assert is_confirmed("Sure?", default=True)
    with pytest.raises(typer.Abort):
        confirm("Sure?")


def test_the_question_is_on_standard_error(keyboard: int, capsys: pytest.CaptureFixture[str]) -> None:
    os.write(keyboard, b"maybe\ny\n")
    confirm("Sure?")
    assert capsys.readouterr() == ("", "Sure? [y/N]: \nAnswer y or n.\nSure? [y/N]: \n")


def test_the_end_of_the_input_aborts(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open() as empty:
        for stdin in (empty, io.StringIO(), None):
            monkeypatch.setattr(sys, "stdin", stdin)
            with pytest.raises(typer.Abort):
                confirm("Sure?")
            with pytest.raises(typer.Abort):
                ask("Token", is_secret=True)


def test_an_input_without_a_descriptor_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("ann\ny\n"))
    assert ask("Name", is_secret=True) == "ann"
    confirm("Sure?")


def test_the_descriptor_that_signals_wake_up_is_restored(keyboard: int) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer)
    try:
        os.write(keyboard, b"y\n")
        confirm("Sure?")
        assert signal.set_wakeup_fd(before) == writer
    finally:
        signal.set_wakeup_fd(before)
        os.close(reader)
        os.close(writer)


def test_any_thread_may_ask(keyboard: int) -> None:
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(ask, "Name")
        os.write(keyboard, b"ann\n")
        assert asked.result(100) == "ann"
