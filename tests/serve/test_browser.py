"""The story of a person who approves, in a browser at two widths: sign in, overview, diff, filter, leave out, approve, history."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.cli.conftest import CommandLine
from tests.serve.oidc_provider import CLIENT_SECRET, OidcProvider
from tests.serve.server_process import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SCREENSHOTS = Path(__file__).parents[2] / "build/screenshots"
SECONDS = 120.0


@pytest.fixture
def browser(chromium: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture
def server(project: CommandLine) -> Iterator[ServerProcess]:
    with OidcProvider() as provider:
        provider.users = {"alice": ["leads", "network"], "bob": ["network"], "mallory": ["unknown"]}
        file = project.folder / "syncs.yaml"
        oidc = f"{{issuer: '{provider.issuer}', client_id: diffsync-store, client_secret: '${{OIDC_SECRET}}'}}"
        roles = "{read: [network], start: [network], approve: [leads]}"
        declared = file.read_text("utf-8").replace("target: database}", "target: database, approval: always}")
        file.write_text(f"serve: {{identity: {{oidc: {oidc}, roles: {roles}}}}}\n{declared}", "utf-8")
        (project.folder / "data/sites.csv").write_text(
            "name,region,note,password\nams,eu,old,secret-1\nber,eu,,secret-2\nnyc,us,<script>alert(1)</script>,secret-3\n"
        )
        project.variables = {"OIDC_SECRET": CLIENT_SECRET}
        with ServerProcess(project) as server:
            yield server


def change_target(project: CommandLine) -> None:
    with closing(sqlite3.connect(project.database)) as connection, connection:
        connection.execute("update site set region = 'xx' where name = 'ber'")
        connection.execute("insert or replace into site values ('osl', 'eu', null, null)")
        connection.execute("insert or replace into device values ('ams', 'sw9', 'A9')")


def fits(page: Page) -> bool:
    """Whether the page needs no scrolling to the side."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


LONG_WORDS = """() => {
    const words = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
    while (words.nextNode()) if (words.currentNode.data.trim()) words.currentNode.data = 'w'.repeat(300);
}"""


def fits_with_long_words(page: Page) -> bool:
    """Whether the page needs no scrolling to the side when each text in it is one long word; wide tables scroll by themselves."""
    page.evaluate(LONG_WORDS)
    page.evaluate("document.querySelectorAll('details:not([hx-get])').forEach(it => it.open = true)")
    narrow = "[...document.querySelectorAll('.scroll')].filter(it => it.scrollWidth <= it.clientWidth).length"
    assert page.evaluate(narrow) == 0
    return fits(page)


def run_of(page: Page, kind: str) -> Locator:
    """Return the newest run of this kind. A page with a run that has not ended loads itself again."""
    return page.get_by_role("row").filter(has_text=f"{kind} inventory").first


def sign_in(page: Page, name: str) -> None:
    page.goto("/")
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("banner")).to_contain_text(name)


def tell_the_story(page: Page, project: CommandLine, kept: str, approved: str) -> None:
    """Approve all but the delete or update of one object."""
    width = page.viewport_size["width"] if page.viewport_size else 0
    expect(page.get_by_role("heading", name="inventory")).to_be_visible()
    page.get_by_role("button", name="Load and compare").click()
    expect(run_of(page, "plan")).to_contain_text("Saved the diff")
    expect(page.get_by_text("waits for approval")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / f"review-overview-{width}.png", full_page=True)
    assert fits(page)
    page.get_by_role("link", name="Newest diff").click()
    expect(page.get_by_text("Waits for approval.")).to_be_visible()
    page.get_by_role("link", name="Tree").click()
    page.get_by_text("below it").first.press("Enter")
    expect(page.get_by_role("listitem").get_by_text("device").first).to_be_visible()
    assert fits(page)
    page.go_back()
    page.get_by_label("Comment").fill("CHG-1 <b>bold</b>")
    page.get_by_label("Model").select_option("site")
    page.get_by_label("Text").fill(kept)
    page.get_by_role("button", name="Filter").press("Enter")
    found = page.get_by_role("listitem").filter(has_text="site")
    expect(found).to_have_count(1)
    found.get_by_label("leave out").check()
    expect(page.get_by_label("Comment")).to_have_value("CHG-1 <b>bold</b>")
    page.screenshot(path=SCREENSHOTS / f"review-diff-{width}.png", full_page=True)
    assert fits(page)
    page.get_by_role("button", name="Approve and apply").click()
    expect(page.get_by_text("Approved by alice")).to_contain_text("CHG-1 <b>bold</b>")
    expect(run_of(page, "apply").get_by_role("cell", name="done", exact=True)).to_be_visible()
    page.screenshot(path=SCREENSHOTS / f"review-applied-{width}.png", full_page=True)
    page.get_by_role("link", name="History").click()
    page.get_by_label("Model").fill("site")
    page.get_by_label("Unique id").fill(approved)
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", name="done by alice").first).to_be_visible()
    page.screenshot(path=SCREENSHOTS / f"review-history-{width}.png", full_page=True)
    assert fits(page)


def test_a_person_reviews_and_approves_at_both_widths(
    server: ServerProcess, project: CommandLine, browser: Browser
) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=SECONDS * 1000)
    hosts, messages = set[str](), list[str]()
    for width, kept, approved in ((1280, "par", "nyc"), (390, "osl", "ber")):
        context = browser.new_context(base_url=server.url, viewport={"width": width, "height": 844})
        context.set_default_timeout(SECONDS * 1000)
        page = context.new_page()
        page.on("request", lambda request: hosts.add(request.url.split("/")[2].split(":")[0]))
        page.on("console", lambda message: messages.append(message.text))
        page.on("dialog", lambda dialog: messages.append(f"dialog {dialog.message}"))
        sign_in(page, "alice")
        tell_the_story(page, project, kept, approved)
        page.get_by_role("link", name="Overview").click()
        newest = page.get_by_role("link", name="Newest diff").get_attribute("href")
        for path in ("/", f"{newest}", f"{newest}/tree"):
            page.goto(path)
            assert fits_with_long_words(page), path
            page.reload()
        assert (kept,) in project.rows("select name from site")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_text("You are signed out.")).to_be_visible()
        page.goto("/")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        change_target(project)
        context.close()
    assert hosts <= {"127.0.0.1", ""}
    assert messages == []
    page = browser.new_page(base_url=server.url)
    page.goto("/")
    page.get_by_role("link", name="mallory").click()
    expect(page.get_by_text("This needs the role 'read'")).to_be_visible()
