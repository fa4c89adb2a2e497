"""Prefect's pages in a real browser; each test also saves a screenshot."""

from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.flows.conftest import History

pytestmark = [pytest.mark.prefect, pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


def test_the_four_deployments_are_listed_with_their_pools(page: Page, screenshots: Path, history: History) -> None:
    page.goto("/v2/deployments")
    for name in ("load", "diff", "sync", "reconcile"):
        expect(page.get_by_role("link", name=name, exact=True).first).to_be_visible()
    page.screenshot(path=screenshots / "deployments.png")


def test_the_runs_are_listed(page: Page, screenshots: Path, history: History) -> None:
    for name in ("load database", "sync registry → database", "reconcile airports"):
        # Unfiltered, the page has the newest hundred, and others have run since.
        page.goto(f"/v2/runs?flow-run-search={quote(name)}")
        expect(page.get_by_text(name).first).to_be_visible()
    page.screenshot(path=screenshots / "runs.png")


def test_a_reconcile_shows_the_runs_that_it_started(page: Page, screenshots: Path, history: History) -> None:
    page.goto(f"/v2/runs/flow-run/{history.first.id}")
    page.get_by_role("tab", name="Subflow Runs").click()
    for step in history.project.children(history.first):
        expect(page.get_by_role("link", name=step.name, exact=True).first).to_be_visible()
    page.screenshot(path=screenshots / "reconcile.png")


def test_the_table_of_a_diff_shows_names_unchanged(page: Page, screenshots: Path, history: History) -> None:
    run = history.step(history.first, "diff")
    table = history.project.artifacts(run)["diff-registry-database"]
    page.goto(f"/v2/artifacts/artifact/{table['id']}")
    expect(page.get_by_role("cell", name="CH / Zurich / A0000", exact=True)).to_be_visible()
    expect(page.get_by_role("cell", name="name: <b>0</b> | a, city: Zürich")).to_be_visible()
    expect(page.get_by_text("All 20 deletes. All 15 creates. The first 1,000 of 1,180 updates.")).to_be_visible()
    page.screenshot(path=screenshots / "diff.png")
