"""A page to review diffs on: `diffsync-store serve`."""
