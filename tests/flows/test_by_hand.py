"""A person syncs the registry into the inventory with Prefect's pages only, and follows the links from page to page."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from airports.demo import check
from tests.flows.conftest import Project, fill
from tests.flows.runs import expect_request
from tests.flows.ui import Ui

pytestmark = [pytest.mark.prefect, pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


def test_load_diff_review_approve_sync(project: Project, page: Page, screenshots: Path) -> None:
    database = project.folder / "inventory.db"
    fill(project, database)
    before = check.fingerprint(database)
    ui = Ui(page, project.stack, screenshots)
    load(ui, "inventory", "1,202 objects")
    store_id = load(ui, "registry", "1,197 objects")

    ui.follow("diff this store with inventory (inventory)", "diff", source_store_id=store_id, sync_name="inventory")
    ui.expect_run("diff registry → inventory · 20 delete, 15 create, 1,180 update", "Completed")
    diff_id = open_result(
        ui, "diff-registry-inventory-totals", "20 delete, 15 create, 1,180 update: registry → inventory"
    )
    diff_page = page.url
    for name in ("load registry · 1,197 objects", "load inventory · 1,202 objects"):
        expect(page.get_by_test_id("markdown-display").get_by_role("link", name=name)).to_be_visible()
    for row in ("delete 20", "airport 11 1,180 20", "country CH 1,212"):
        expect(page.get_by_role("row", name=row, exact=True)).to_be_visible()

    ui.follow("dry run", "sync", diff_id=diff_id, sync_name="inventory")
    ui.expect_run("DRY RUN: sync registry → inventory · 20 delete, 15 create, 1,180 update", "Completed")
    page.goto(diff_page)
    ui.follow("apply this diff", "sync", diff_id=diff_id, sync_name="inventory")
    ui.expect_run("sync registry → inventory · 20 delete, 15 create, 1,180 update", "Suspended")
    ui.screenshot("sync-2-waits")
    asking = page.url
    page.goto(diff_page)
    page.get_by_test_id("markdown-display").get_by_role("link", name="approve", exact=True).click()
    page.wait_for_url(asking)
    assert check.fingerprint(database) == before
    expect_request(project, asking.partition("?")[0].rpartition("/")[2])  # the dialog shows the form that it finds
    ui.approve("ann", "CHG-4711")
    ui.expect_run("sync registry → inventory", "Completed")
    expect(ui.card("sync-registry-inventory")).to_contain_text("1,215 of 1,215 applied")
    ui.screenshot("sync-5-run")
    shown = ui.open_artifact("sync-registry-inventory")
    expect(shown).to_contain_text("1,215 of 1,215 applied")
    ui.screenshot("sync-6-artifact")
    shown.get_by_role("link", name="diff registry → inventory").click()
    ui.expect_run("diff registry → inventory · 20 delete, 15 create, 1,180 update", "Completed")
    assert check.is_equal(check.compare(database, project.folder / "after" / "airports.csv"))
    with project.diffs() as diffs:
        approval = diffs.open(diff_id).journal().approval()
    assert approval is not None
    assert (approval.by, approval.reason, approval.is_rejected) == ("ann", "CHG-4711", False)


def load(ui: Ui, adapter: str, objects: str) -> str:
    """Run a load, and go to its artifact; return its `store_id`."""
    ui.start(f"load/{adapter}")
    ui.expect_run(f"load {adapter} · {objects}", "Completed")
    return open_result(ui, f"load-{adapter}", f"{objects} of {adapter}")


def open_result(ui: Ui, key: str, heading: str) -> str:
    """Go from the page of a run to its artifact; return the id that both show."""
    card = ui.card(key)
    expect(card).to_be_visible()
    ui.screenshot(f"{key}-2-run")
    on_card = card.get_by_role("code").inner_text()
    shown = ui.open_artifact(key)
    expect(shown.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    ui.screenshot(f"{key}-3-artifact")
    assert shown.locator("pre").inner_text().strip() == on_card
    return on_card
