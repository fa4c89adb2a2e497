"""The worked example, start to end: `python -m airports.demo`."""
