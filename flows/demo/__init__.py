"""The worked example, start to end: `python -m flows.demo`."""
