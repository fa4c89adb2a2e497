"""Prefect's pages, used as a person uses them."""

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from airports.demo.prefect_stack import PrefectStack

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
MOST_TRIES = 10


class Ui:
    """A page of Prefect's, and a folder that its pictures are kept in."""

    def __init__(self, page: Page, stack: PrefectStack, pictures: Path) -> None:
        self.page = page
        self._stack = stack
        self._pictures = pictures

    def picture(self, name: str) -> None:
        """Keep the page as it is on a screen and on a phone."""
        for size, of in ((PHONE, "phone"), (WIDE, "wide")):
            self.page.set_viewport_size(size)  # type: ignore[arg-type]  # a TypedDict of Playwright's own
            self.page.screenshot(path=self._pictures / f"{name}-{of}.png", full_page=True)

    def start(self, deployment: str, **parameters: str) -> None:
        """Run a deployment, found in the list, from its form; the page is the run's then."""
        flow, name = deployment.split("/")
        page = self.page
        page.goto("/v2/deployments")
        page.get_by_placeholder("Search deployments").fill(name)
        page.wait_for_url(lambda url: f"flowOrDeploymentName={name}" in url)  # a page that is left before comes back
        rows = page.get_by_role("row").filter(has=page.get_by_role("link", name=flow, exact=True))
        rows.get_by_role("link", name=name, exact=True).first.click()
        page.get_by_role("button", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Custom run").click()
        for parameter_schema in self._parameters(deployment).values():
            expect(page.get_by_text(parameter_schema["description"])).to_be_visible()
        for parameter, value in parameters.items():
            self._give(parameter, value)
        self.picture(f"{flow}-1-form")
        self.press(page.get_by_role("button", name="Submit"), "/create_flow_run")
        page.get_by_role("link", name="View run").click()
        page.wait_for_url("**/runs/flow-run/*")

    def approve(self, by: str, comment: str) -> None:
        """Resume the run whose page this is, with a decision."""
        page = self.page
        page.get_by_role("button", name="Open menu").click()
        page.get_by_role("menuitem", name="Resume").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("Choose below. If you resume without choosing, the diff is rejected.")
        expect(dialog.get_by_text("Your name; saved with the diff")).to_be_attached()
        expect(dialog).to_contain_text("New [name](http://example.invalid) of *it*")
        expect(dialog.locator("a")).to_have_text([re.compile("^diff registry → inventory")])  # and none out of the data
        self.picture("sync-3-asks")
        dialog.get_by_role("button", name="Select Decision").click()
        page.get_by_role("option", name="approve").click()
        dialog.get_by_role("textbox", name="By").fill(by)
        dialog.get_by_role("textbox", name="Comment").fill(comment)
        self.picture("sync-4-approved")
        dialog.get_by_text("Exclude Models").scroll_into_view_if_needed()
        self.picture("sync-4-leaves-out")
        self.press(dialog.get_by_role("button", name="Resume"), "/resume")

    def expect_run(self, name: str, state: str) -> None:
        """Wait until the run whose page this is has a name and a state."""
        expect(self.page.get_by_label("breadcrumb").first).to_contain_text(name)
        expect(self.page.get_by_role("main")).to_contain_text(re.compile(rf"{state}\s*\d{{4}}/"))

    def open_artifact(self, key: str) -> Locator:
        """Go from a run's page to its artifact, by the history of all that have this key; its text."""
        self.card(key).click()
        self.page.get_by_role("link", name=re.compile("^[0-9a-f]{8}$")).first.click()
        return self.page.get_by_test_id("markdown-display")

    def card(self, key: str) -> Locator:
        """What the page of a run shows of one of its artifacts."""
        self.page.get_by_role("tab", name="Artifacts").click()
        cards = self.page.get_by_role("tabpanel").get_by_role("link")
        return cards.filter(has=self.page.get_by_role("heading", name=key, exact=True))

    def press(self, button: Locator, path: str) -> None:
        """Press a button that asks the API for something, and again where a busy server has turned it away."""
        for _ in range(MOST_TRIES):
            with self.page.expect_response(lambda answer: answer.url.endswith(path)) as asked:
                button.click()
            if asked.value.ok:
                return
        raise AssertionError(f"{path} was turned away {MOST_TRIES} times")

    def _give(self, parameter: str, value: str) -> None:
        """Fill in a parameter; one that may be left out has a switch to be set before."""
        optional = self.page.get_by_text(f"{parameter} (Optional)", exact=True)
        if not optional.is_visible():
            self.page.get_by_role("textbox", name=parameter).fill(value)
            return
        optional.locator("xpath=following::*[@role='tab'][normalize-space()='str'][1]").click()
        optional.locator("xpath=following::textarea[1]").fill(value)

    def _parameters(self, deployment: str) -> dict[str, dict[str, Any]]:
        found = self._stack.get(f"/deployments/name/{deployment}")
        properties: dict[str, dict[str, Any]] = found["parameter_openapi_schema"]["properties"]
        return properties
