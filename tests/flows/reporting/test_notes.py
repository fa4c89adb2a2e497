"""What an undo cannot take back is in the form of its approval."""

from datetime import UTC, datetime

from diffsync_flows.reporting.artifacts.text import notes_section
from diffsync_store.diffs import DiffRecord


def test_the_notes_of_an_undo_are_shown_as_text() -> None:
    record = DiffRecord(
        diff_id="undo-1",
        source_name="a",
        target_name="b",
        summary={},
        operations=0,
        elements=0,
        created=datetime.now(UTC),
        ttl=60,
    )
    assert not notes_section(record)
    shown = notes_section(record.model_copy(update={"undoes": "nightly-1", "notes": ("Not undone: <b>site</b> | x",)}))
    assert "Undo of diff nightly" in shown
    assert "<b>" not in shown
