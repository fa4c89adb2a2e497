"""Start what a person has decided: by the library in this process, or by a scheduler such as Prefect."""

from diffsync_store.serve.running.library import LibraryRunner
from diffsync_store.serve.running.plugin import find_runner
from diffsync_store.serve.running.runner import Kind, Runner, RunState, RunStatus, Start

__all__ = ["Kind", "LibraryRunner", "RunState", "RunStatus", "Runner", "Start", "find_runner"]
