"""What is promised of stores and saved diffs: one contract for every store, and what Redis adds to it."""
