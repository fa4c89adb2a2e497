"""Use Prefect's pages as a person does."""

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from airports.demo.prefect_stack import PrefectStack

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
MAX_TRIES = 10


class Ui:
    """A page of Prefect's, and a folder that its screenshots are kept in."""

    def __init__(self, page: Page, stack: PrefectStack, screenshots: Path) -> None:
        self.page = page
        self._stack = stack
        self._screenshots = screenshots

    def screenshot(self, name: str) -> None:
        """Save the page as on a wide screen and on a phone."""
        for size, of in ((PHONE, "phone"), (WIDE, "wide")):
            self.page.set_viewport_size(size)  # type: ignore[arg-type]  # a TypedDict of Playwright
            self.page.screenshot(path=self._screenshots / f"{name}-{of}.png", full_page=True)

    def start(self, deployment: str, **parameters: str) -> None:
        """Find a deployment in the list, run it from its form, and go to the page of the run."""
        flow, name = deployment.split("/")
        page = self.page
        page.goto("/v2/deployments")
        page.get_by_placeholder("Search deployments").fill(name)
        page.wait_for_url(lambda url: f"flowOrDeploymentName={name}" in url)  # otherwise the filter is lost
        rows = page.get_by_role("row").filter(has=page.get_by_role("link", name=flow, exact=True))
        rows.get_by_role("link", name=name, exact=True).first.click()
        page.get_by_role("button", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Custom run").click()
        for parameter_schema in self._parameters(deployment).values():
            expect(page.get_by_text(parameter_schema["description"])).to_be_visible()
        for parameter, value in parameters.items():
            self.page.get_by_role("textbox", name=parameter).fill(value)
        self.submit(flow)

    def follow(self, link: str, flow: str, **parameters: str) -> None:
        """Follow a link of an artifact to a form that is filled in, run it, and go to the page of the run."""
        self.page.get_by_test_id("markdown-display").get_by_role("link", name=link).click()
        for parameter, value in parameters.items():
            expect(self.page.get_by_role("textbox", name=parameter)).to_have_value(value)
        self.submit(flow)

    def submit(self, flow: str) -> None:
        """Run the form of a flow, and go to the page of the run."""
        page = self.page
        expect(page.get_by_role("tab", name="None")).to_have_count(0)  # no switch between a value and null
        self.screenshot(f"{flow}-1-form")
        self.press(page.get_by_role("button", name="Submit"), "/create_flow_run")
        page.get_by_role("link", name="View run").click()
        page.wait_for_url("**/runs/flow-run/*")

    def approve(self, by: str, comment: str) -> None:
        """Approve on the page of a suspended run, and resume it."""
        page = self.page
        page.get_by_role("button", name="Open menu").click()
        page.get_by_role("menuitem", name="Resume").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text(
            "Choose a decision below. Without one, Resume is refused and the run keeps waiting."
        )
        dialog.get_by_role("button", name="Resume").click()
        expect(page.get_by_text("'decision' is a required property")).to_be_visible()
        expect(dialog.get_by_text("Your name; saved with the diff")).to_be_attached()
        expect(dialog).to_contain_text("New [name](http://example.invalid) of *it*")
        expect(dialog.locator("a")).to_have_text(
            [re.compile("^diff registry → inventory")]
        )  # and no link from the data
        self.screenshot("sync-3-asks")
        dialog.get_by_role("button", name="Select Decision").click()
        page.get_by_role("option", name="approve").click()
        dialog.get_by_role("textbox", name="By").fill(by)
        dialog.get_by_role("textbox", name="Comment").fill(comment)
        self.screenshot("sync-4-approved")
        dialog.get_by_text("Exclude Models").scroll_into_view_if_needed()
        self.screenshot("sync-4-leaves-out")
        self.press(dialog.get_by_role("button", name="Resume"), "/resume")

    def expect_run(self, name: str, state: str) -> None:
        """Wait until the page of a run shows the name and the state."""
        expect(self.page.get_by_label("breadcrumb").first).to_contain_text(name)
        expect(self.page.get_by_role("main")).to_contain_text(re.compile(rf"{state}\s*\d{{4}}/"))

    def open_artifact(self, key: str) -> Locator:
        """Go from the page of a run to its artifact, through the history of its key; return the text."""
        self.card(key).click()
        self.page.get_by_role("link", name=re.compile("^[0-9a-f]{8}$")).first.click()
        return self.page.get_by_test_id("markdown-display")

    def card(self, key: str) -> Locator:
        """Return the card of an artifact on the page of a run."""
        self.page.get_by_role("tab", name="Artifacts").click()
        cards = self.page.get_by_role("tabpanel").get_by_role("link")
        own_key = f"{key}-{self.page.url.partition('?')[0][-12:]}"
        return cards.filter(has=self.page.get_by_role("heading", name=own_key, exact=True))

    def press(self, button: Locator, path: str) -> None:
        """Press a button that calls the API; repeat this if a busy server refuses the request."""
        for _ in range(MAX_TRIES):
            with self.page.expect_response(lambda answer: answer.url.endswith(path)) as asked:
                button.click()
            if asked.value.ok:
                return
        raise AssertionError(f"{path} was refused {MAX_TRIES} times")

    def _parameters(self, deployment: str) -> dict[str, dict[str, Any]]:
        found = self._stack.get(f"/deployments/name/{deployment}")
        properties: dict[str, dict[str, Any]] = found["parameter_openapi_schema"]["properties"]
        return properties
