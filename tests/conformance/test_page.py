"""The page of the suite has its tables from the code."""

from tests.conformance.page import PAGE, cases_of, current, groups


def test_the_page_is_up_to_date() -> None:
    """To update the page, run `python -m tests.conformance.page`."""
    page = PAGE.read_text("utf-8")
    assert page == current(page)


def test_each_case_says_what_it_proves() -> None:
    cases = {name: proof for group in groups() for name, proof in cases_of(group).items()}
    assert len(cases) >= 60
    assert [name for name, proof in cases.items() if not proof.endswith(".")] == []
