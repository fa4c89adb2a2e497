"""Measure how fast Prefect's UI opens a diff of 100,000 changes: `python -m benchmarks.pages [objects] [--rounds 5]`.

It loads this many objects, compares them with an empty target, and starts a sync that needs approval. A browser then opens
each page several times, until the content is visible; the first time does not count. For comparison, it also opens the artifact
of an empty load and the form of a diff with three operations: these show the cost of the pages themselves.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from playwright.sync_api import Page, expect, sync_playwright

from airports.demo.prefect_stack import PrefectStack
from airports.demo.runs import start_run
from benchmarks.prefect_runs import run_to_completion, running_stack
from tests.servers import chromium_binary, wait_until

CONFIG = """
store: {url: "${REDIS_URL}"}
adapters:
  few: {class: "tests.flows.systems:PlainAdapter", settings: {objects: 3}}
  source: {class: "tests.flows.systems:PlainAdapter", settings: {objects: OBJECTS}}
  target: {class: "tests.flows.systems:PlainAdapter", settings: {objects: 0}}
syncs:
  small: {source: few, target: target, approval: always}
  large: {source: source, target: target, approval: always}
"""
SECONDS = 300.0


def complete(stack: PrefectStack, deployment: str, **parameters: Any) -> str:
    """Run a deployment to its end; return the id of the run."""
    run = run_to_completion(stack, deployment, SECONDS, **parameters)
    print(f"  {run.name}: {(run.ended - run.started).total_seconds():.1f} s", flush=True)
    return run.id


def suspend(stack: PrefectStack, name: str) -> str:
    """Start the sync of the diff with the same name, until it waits for approval; return the id of the run."""
    run = start_run(stack, f"sync/{name}", diff_id=name)
    wait_until(lambda: stack.get(f"/flow_runs/{run}")["state_name"] == "Suspended", SECONDS)
    return run


def artifact_page(stack: PrefectStack, run_id: str, key: str) -> str:
    """Return the address of the page of a run's artifact; its key ends in the last digits of the run."""
    keys = [f"{key}-{run_id[-12:]}"]
    found = stack.post("/artifacts/filter", artifacts={"flow_run_id": {"any_": [run_id]}, "key": {"any_": keys}})
    return f"/v2/artifacts/artifact/{found[0]['id']}"


def measure(page: Page, rounds: int, name: str, show: Callable[[Page], None]) -> None:
    found = []
    for _ in range(rounds + 1):
        page.goto("about:blank")
        began = time.monotonic()
        show(page)
        found.append(time.monotonic() - began)
    text = f"median {statistics.median(found[1:]):.2f} s, {min(found[1:]):.2f} to {max(found[1:]):.2f}"
    print(f"{name}: {text}; first time {found[0]:.2f}", flush=True)


def page_opener(address: str, role: Literal["heading", "cell"], text: str) -> Callable[[Page], None]:
    """Return a function that opens a page and waits for a heading or a table cell."""

    def show(page: Page) -> None:
        page.goto(address, wait_until="commit")
        expect(page.get_by_role(role, name=text, exact=True)).to_be_visible()

    return show


def form_opener(run_id: str, text: str) -> Callable[[Page], None]:
    """Return a function that opens the form of a suspended run."""

    def show(page: Page) -> None:
        page.goto(f"/v2/runs/flow-run/{run_id}", wait_until="commit")
        page.get_by_role("button", name="Open menu").click()
        page.get_by_role("menuitem", name="Resume").click()
        expect(page.get_by_role("dialog").get_by_text(text).first).to_be_visible()

    return show


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("objects", nargs="?", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5, help="how often each page is opened after the first time")
    arguments = parser.parse_args()
    objects, rounds = arguments.objects, arguments.rounds
    with running_stack(CONFIG.replace("OBJECTS", str(objects))) as (stack, _):
        complete(stack, "load/source", store_id="source")
        empty = complete(stack, "load/target", store_id="target")
        diff = complete(stack, "diff/large", diff_id="large")
        complete(stack, "load/few", store_id="few")
        complete(stack, "diff/small", diff_id="small")
        syncs = {name: suspend(stack, name) for name in ("small", "large")}
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium_binary(), args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
            )
            expect.set_options(timeout=SECONDS * 1000)
            page = browser.new_page(base_url=stack.address, viewport={"width": 1280, "height": 900})
            page.set_default_timeout(SECONDS * 1000)
            totals, table = (artifact_page(stack, diff, f"diff-source-target{end}") for end in ("-totals", ""))
            measure_page = partial(measure, page, rounds)
            measure_page(
                "an empty load",
                page_opener(artifact_page(stack, empty, "load-target"), "heading", "0 objects of target"),
            )
            measure_page(
                "the diff's totals",
                page_opener(totals, "heading", f"{objects:,} create: source → target"),
            )
            measure_page("the table of the diff's first changes", page_opener(table, "cell", "item 9"))
            measure_page("the form of three operations", form_opener(syncs["small"], "All 3 creates."))
            measure_page(
                "the form of the large diff",
                form_opener(syncs["large"], f"The first 5 of {objects:,} creates."),
            )
            browser.close()


if __name__ == "__main__":
    main()
