"""What Prefect tells late is waited for by the helpers of these tests: lines of a log, the process of a run, its form."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from tests.flows.conftest import Project
from tests.flows.runs import expect_request, kill_process

LAST = "Finished in state "
LOG = [
    ("prefect.flow_runs", "begins"),
    ("prefect.task_runs", f"{LAST}Completed()"),
    ("prefect.flow_runs", f"{LAST}Suspended()"),
    ("prefect.flow_runs", "begins again, and is killed"),
    ("prefect.flow_runs", "a secret"),
    ("prefect.flow_runs", f"{LAST}Completed()"),
]
ATTEMPTS = ("Running", "Suspended", "Resuming", "Pending", "Running", "Crashed", "Pending", "Running", "Completed")


class LateServer:
    """Answers as Prefect's API, with the next of some answers each time that it is asked; the last one stays.

    Args:
        get: Returns the answers to a path.
        post: The answers to a filter of logs or of forms, each in pages of two.
    """

    def __init__(self, get: Callable[[str], list[Any]], post: list[list[dict[str, Any]]]) -> None:
        self._get = get
        self._post = post
        self._asked = {"get": 0, "post": 0}

    def get(self, path: str) -> Any:
        return self._next("get", self._get(path))

    def post(self, path: str, *, offset: int | None = None, **content: Any) -> Any:  # as the API has it
        if offset is None:
            return self._next("post", self._post)
        if offset:
            return self._post[min(self._asked["post"], len(self._post)) - 1][offset : offset + 2]
        return self._next("post", self._post)[:2]

    def _next(self, kind: str, answers: list[Any]) -> Any:
        self._asked[kind] += 1
        return answers[min(self._asked[kind], len(answers)) - 1]


def project(get: Callable[[str], list[Any]], post: list[list[dict[str, Any]]]) -> Project:
    return Project(cast("Any", LateServer(get, post)), Path(), cast("Any", None))


def test_a_whole_log_has_the_lines_of_each_process_of_its_run() -> None:
    lines = [{"name": name, "message": message} for name, message in LOG]
    late = project(
        lambda _: [[{"name": name} for name in ATTEMPTS]], [lines[:count] for count in range(len(lines) + 1)]
    )
    assert late.whole_log("run") == "\n".join(message for _, message in LOG)


def test_a_process_is_killed_when_it_is_told_and_not_the_one_before() -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as before:
        before.wait()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        told = [None, None, *[str(before.pid)] * 5, f"host:{process.pid}"]
        kill_process(project(lambda _: [{"infrastructure_pid": each} for each in told], []), "run")
        assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("after", ["", "old"])
def test_a_form_is_read_when_it_is_saved(after: str) -> None:
    keys = {"state_details": {"run_input_keyset": {"description": "key"}}}
    states = [{"state_name": "Running"}, {"state_name": "Suspended", "state": keys}]
    forms = [[], [], *([[{"value": json.dumps(after)}]] if after else []), [{"value": json.dumps("new")}]]
    assert expect_request(project(lambda _: states, forms), "run", after=after) == "new"
