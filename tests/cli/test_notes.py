"""The notes of an error after its message."""

import pytest

from diffsync_store.printable import with_notes


@pytest.mark.parametrize(
    ("message", "notes", "expected"),
    [
        ("Known keys: a, b", ["The load of x failed."], "Known keys: a, b. The load of x failed."),
        ("It is closed.", ["Open it.", "Or not"], "It is closed. Open it. Or not"),
        ("a: wrong", [], "a: wrong"),
    ],
)
def test_a_message_and_its_notes_are_sentences(message: str, notes: list[str], expected: str) -> None:
    error = ValueError(message)
    for note in notes:
        error.add_note(note)
    assert with_notes(error) == expected
