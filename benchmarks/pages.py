"""How long a diff of 100,000 changes takes to open in Prefect's UI: `python -m benchmarks.pages [objects]`.

Loads so many objects, compares them with nothing, and starts a sync that has to be approved. Then a browser opens each page
anew, five times, and waits until what it is opened for can be seen; beside these, the same pages with the artifact of an
empty load and with the form of a diff of three operations, which is what the pages themselves take.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any, Literal

from playwright.sync_api import Page, expect, sync_playwright

from airports.demo.prefect_stack import PrefectStack
from airports.demo.runs import start_run
from benchmarks.prefect_runs import finished, stack_over
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
ROUNDS = 5
SECONDS = 300.0


def done(stack: PrefectStack, deployment: str, **parameters: Any) -> str:
    """The id of a run that ended well."""
    run = finished(stack, deployment, SECONDS, **parameters)
    print(f"  {run.name}: {(run.ended - run.started).total_seconds():.1f} s", flush=True)
    return run.id


def waiting(stack: PrefectStack, name: str) -> str:
    """The id of a run of a sync that waits for an approval of the diff of that name."""
    run = start_run(stack, f"sync/{name}", diff_id=name)
    wait_until(lambda: stack.get(f"/flow_runs/{run}")["state_name"] == "Suspended", SECONDS)
    return run


def artifact(stack: PrefectStack, run_id: str, key: str) -> str:
    """The address of an artifact's page."""
    found = stack.post("/artifacts/filter", artifacts={"flow_run_id": {"any_": [run_id]}, "key": {"any_": [key]}})
    return f"/v2/artifacts/artifact/{found[0]['id']}"


def measure(what: str, page: Page, show: Callable[[Page], None]) -> None:
    found = []
    for _ in range(ROUNDS + 1):
        page.goto("about:blank")
        began = time.monotonic()
        show(page)
        found.append(time.monotonic() - began)
    told = f"median {statistics.median(found[1:]):.2f} s, {min(found[1:]):.2f} to {max(found[1:]):.2f}"
    print(f"{what}: {told}; the first time {found[0]:.2f}", flush=True)


def opened(address: str, role: Literal["heading", "cell"], text: str) -> Callable[[Page], None]:
    """Opens a page and waits for a heading or a cell of a table."""

    def show(page: Page) -> None:
        page.goto(address, wait_until="commit")
        expect(page.get_by_role(role, name=text, exact=True)).to_be_visible()

    return show


def asked(run_id: str, text: str) -> Callable[[Page], None]:
    """Opens a suspended run's page and its form."""

    def show(page: Page) -> None:
        page.goto(f"/v2/runs/flow-run/{run_id}", wait_until="commit")
        page.get_by_role("button", name="Open menu").click()
        page.get_by_role("menuitem", name="Resume").click()
        expect(page.get_by_role("dialog").get_by_text(text).first).to_be_visible()

    return show


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("objects", nargs="?", type=int, default=100_000)
    objects = parser.parse_args().objects
    with stack_over(CONFIG.replace("OBJECTS", str(objects))) as (stack, _):
        done(stack, "load/source", store_id="source")
        empty = done(stack, "load/target", store_id="target")
        diff = done(stack, "diff/large", diff_id="large")
        done(stack, "load/few", store_id="few")
        done(stack, "diff/small", diff_id="small")
        syncs = {name: waiting(stack, name) for name in ("small", "large")}
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium_binary(), args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
            )
            expect.set_options(timeout=SECONDS * 1000)
            page = browser.new_page(base_url=stack.address, viewport={"width": 1280, "height": 900})
            page.set_default_timeout(SECONDS * 1000)
            totals, table = (artifact(stack, diff, f"diff-source-target{end}") for end in ("-totals", ""))
            operations = f"{objects:,} operations"
            measure(
                "an empty load",
                page,
                opened(artifact(stack, empty, "load-target"), "heading", "0 objects of target"),
            )
            measure("the diff's totals", page, opened(totals, "heading", f"{operations}, source → target"))
            measure("the table of its first changes", page, opened(table, "cell", "item 9"))
            measure("the form of three operations", page, asked(syncs["small"], "All 3 creates."))
            measure("the form of its approval", page, asked(syncs["large"], f"The first 5 of {objects:,} creates."))
            browser.close()


if __name__ == "__main__":
    main()
