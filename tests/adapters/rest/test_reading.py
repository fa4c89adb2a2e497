import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from diffsync_store import StoreState
from tests.adapters.rest.conftest import MakeAdapter, loaded, names
from tests.http_service import DROP, Answer, Failure, Request
from tests.json_api import JsonApi

TEN = [{"name": f"d{number}", "site": "Oslo"} for number in range(10)]
ALL = [device["name"] for device in TEN]
KINDS = ["none", "page", "offset", "cursor", "next", "link"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("total", ["count", ""])
@pytest.mark.parametrize("size", [1, 3, 5, 10, 50])
def test_every_kind_of_paging_gives_all_records_in_order(
    adapter_of: MakeAdapter, kind: str, total: str, size: int
) -> None:
    paging = {"kind": kind, "total": total, "size": size, "parameter": "after" if kind == "cursor" else ""}
    with JsonApi(*TEN, paging=kind, total=total, items="" if kind == "link" else "results") as api:
        adapter = loaded(adapter_of(api, paging=paging))
    assert names(adapter) == ALL
    assert adapter.store.record().state is StoreState.COMPLETE


@pytest.mark.parametrize("kind", ["page", "offset"])
@pytest.mark.parametrize("total", ["count", ""])
def test_an_api_with_smaller_pages_than_asked_for_is_read_whole(adapter_of: MakeAdapter, kind: str, total: str) -> None:
    with JsonApi(*TEN, paging=kind, total=total, largest_page=2) as api:
        assert names(loaded(adapter_of(api, paging={"kind": kind, "total": total, "size": 500}))) == ALL


def test_pages_without_a_parameter_for_the_size(adapter_of: MakeAdapter) -> None:
    with JsonApi(*TEN, paging="page", largest_page=4) as api:
        paging = {"kind": "page", "size_parameter": "", "total": "count"}
        assert names(loaded(adapter_of(api, paging=paging))) == ALL
        assert {path for _, path in api.requests} == {f"/devices/?page={number}" for number in (1, 2, 3)}


def test_an_empty_list(adapter_of: MakeAdapter) -> None:
    for kind in KINDS:
        with JsonApi(paging=kind) as api:
            adapter = loaded(adapter_of(api))
            assert names(adapter) == []
            assert adapter.store.record().state is StoreState.COMPLETE
            assert len(api.requests) == 1


def test_pages_are_requested_at_the_same_time_and_come_in_order(adapter_of: MakeAdapter) -> None:
    arrived = threading.Barrier(3, timeout=100)

    class Slow(JsonApi):
        def respond(self, request: Request) -> Answer:
            if "offset=0" not in request.path:
                arrived.wait()
            return super().respond(request)

    with Slow(*TEN, *({"name": f"e{number}"} for number in range(10))) as api:
        assert names(loaded(adapter_of(api, concurrency=3))) == ALL + [f"e{number}" for number in range(10)]


@pytest.mark.parametrize("how", [500, 429, DROP])
def test_a_page_is_read_again_after_a_transient_failure(adapter_of: MakeAdapter, how: Failure) -> None:
    with JsonApi(*TEN, failures=[how]) as api:
        assert names(loaded(adapter_of(api))) == ALL


@pytest.mark.parametrize("kind", ["offset", "cursor"])
def test_a_page_that_fails_fails_the_load(adapter_of: MakeAdapter, kind: str) -> None:
    with JsonApi(*TEN, paging=kind) as api:
        adapter = adapter_of(api, attempts=1)
        api.before = lambda _: api.failures.append(500) if len(api.received) == 1 else None
        with pytest.raises(Exception, match="answered 500"):
            loaded(adapter)
        assert adapter.store.record().state is StoreState.FAILED


def test_a_record_that_comes_twice_because_the_list_has_shifted_counts_once(adapter_of: MakeAdapter) -> None:
    with JsonApi(*TEN) as api:

        def insert_in_front(_: Request) -> None:
            if len(api.received) == 2:
                api.records = {99: {"id": 99, "name": "new"}, **api.records}

        api.before = insert_in_front
        adapter = loaded(adapter_of(api, concurrency=1))
        record = adapter.store.record()
    assert sorted(names(adapter)) == ALL
    assert record.state is StoreState.PARTIAL
    assert "The API had 10 then 11 records while the pages were read. Load again." in record.reason


@pytest.mark.parametrize("total", ["count", ""])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_list_that_shifts_without_growing_makes_the_load_partial(
    adapter_of: MakeAdapter, total: str, concurrency: int
) -> None:
    with JsonApi(*TEN, total=total) as api:

        def replace_the_first(_: Request) -> None:
            if len(api.received) == 2:
                del api.records[1]
                api.records[99] = {"id": 99, "name": "new"}

        api.before = replace_the_first
        adapter = loaded(adapter_of(api, concurrency=concurrency))
        record = adapter.store.record()
    assert record.state is StoreState.PARTIAL
    assert "Records were created or deleted while the pages were read" in record.reason


def test_a_total_that_is_too_large_makes_the_load_partial(adapter_of: MakeAdapter) -> None:
    class Hides(JsonApi):
        """Counts records that it does not show."""

        def respond(self, request: Request) -> Answer:
            answer = super().respond(request)
            return answer._replace(body=answer.body.replace(b'"count": 10', b'"count": 12'))

    with Hides(*TEN) as api:
        adapter = loaded(adapter_of(api))
    assert names(adapter) == ALL
    assert adapter.store.record().state is StoreState.PARTIAL


class Says(JsonApi):
    """Answers each page with another total, or another page, than is true."""

    def __init__(self, change: Callable[[dict[str, Any]], dict[str, Any]], **options: Any) -> None:
        super().__init__(*TEN, **options)
        self.change = change

    def respond(self, request: Request) -> Answer:
        answer = super().respond(request)
        return answer._replace(body=json.dumps(self.change(json.loads(answer.body))).encode())


@pytest.mark.parametrize("kind", ["page", "offset"])
@pytest.mark.parametrize("total", [-1, 0, 5, 6, "10", None])
def test_a_total_that_is_too_small_ends_no_list(adapter_of: MakeAdapter, kind: str, total: Any) -> None:
    with Says(lambda page: {**page, "count": total}, paging=kind) as api:
        assert names(loaded(adapter_of(api))) == ALL


@pytest.mark.parametrize("kind", ["page", "offset"])
def test_a_total_that_counts_the_records_of_the_page_ends_no_list(adapter_of: MakeAdapter, kind: str) -> None:
    with Says(lambda page: {**page, "count": len(page["results"])}, paging=kind) as api:
        assert names(loaded(adapter_of(api))) == ALL


@pytest.mark.parametrize("status", [400, 404, 416, 422])
def test_an_api_may_refuse_the_page_after_the_last_one(adapter_of: MakeAdapter, status: int) -> None:
    class Strict(JsonApi):
        def respond(self, request: Request) -> Answer:
            return Answer(status) if "page=5" in request.path else super().respond(request)

    with Strict(*TEN, {"name": "d10"}, {"name": "d11"}, paging="page") as api:
        assert len(names(loaded(adapter_of(api)))) == 12


def test_an_api_may_give_its_last_page_again(adapter_of: MakeAdapter) -> None:
    class Clamps(JsonApi):
        def respond(self, request: Request) -> Answer:
            return super().respond(request._replace(path=request.path.replace("page=5", "page=4")))

    with Clamps(*TEN, paging="page", total="") as api:
        adapter = loaded(adapter_of(api))
        assert names(adapter) == ALL
        assert adapter.store.record().state is StoreState.COMPLETE


@pytest.mark.parametrize("kind", ["page", "offset"])
def test_an_api_that_ignores_the_parameter_of_the_page_is_an_error(adapter_of: MakeAdapter, kind: str) -> None:
    with JsonApi(*TEN, paging=kind, total="") as api:
        adapter = adapter_of(api, paging={"kind": kind, "size": 3, "parameter": "wrong"})
        with pytest.raises(ValueError, match="the API ignores 'wrong'"):
            loaded(adapter)
        assert adapter.store.record().state is StoreState.FAILED


def test_an_error_beside_an_empty_list_is_no_end_of_the_list(adapter_of: MakeAdapter) -> None:
    with (
        Says(lambda page: {**page, "results": [], "error": "too busy"}, paging="page") as api,
        pytest.raises(ValueError, match="no records and an error: too busy"),
    ):
        loaded(adapter_of(api))


def test_a_path_of_the_id_that_is_not_unique_is_an_error(adapter_of: MakeAdapter) -> None:
    with JsonApi(*TEN) as api, pytest.raises(ValueError, match=r"have the id 'Oslo'. Correct `id`"):
        loaded(adapter_of(api, id="site"))


def test_links_in_a_circle_end_with_an_error(adapter_of: MakeAdapter) -> None:
    class Circle(JsonApi):
        def respond(self, request: Request) -> Answer:
            return Answer(200, {}, b'{"results": [], "next": "?after=1"}')

    with (
        Circle(paging="next", total="") as api,
        pytest.raises(ValueError, match="The links between the pages of 'devices/' form a circle"),
    ):
        loaded(adapter_of(api))


def test_a_next_link_to_another_host_is_refused(adapter_of: MakeAdapter) -> None:
    class Away(JsonApi):
        def respond(self, request: Request) -> Answer:
            return Answer(200, {}, b'{"results": [], "next": "http://other.invalid/devices/?after=1"}')

    with Away(paging="next", total="") as api, pytest.raises(ValueError, match=r"links to http://other.invalid"):
        loaded(adapter_of(api, token="t0k3n"))


def test_a_cursor_of_the_last_record(adapter_of: MakeAdapter) -> None:
    class ByLast(JsonApi):
        """`after` is the id of a record, and `more` says whether there are more."""

        def respond(self, request: Request) -> Answer:
            answer = super().respond(request)
            return answer._replace(body=answer.body.replace(b'"next"', b'"more"'))

    paging = {"kind": "cursor", "next": "results[-1].id", "more": "more", "parameter": "after", "size": 4}
    with ByLast(*TEN, paging="cursor") as api:
        assert names(loaded(adapter_of(api, paging=paging))) == ALL


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            b'{"devices": []}',
            r"`items: results` is not a list of records at 'devices/', but NoneType. The answer has devices.",
        ),
        (b'{"results": {"a": 1}}', "not a list of records"),
        (b"<html>Log in</html>", "instead of JSON: 'Log in'"),
    ],
)
def test_an_answer_of_another_form_is_explained(adapter_of: MakeAdapter, answer: bytes, words: str) -> None:
    class Other(JsonApi):
        def respond(self, request: Request) -> Answer:
            return Answer(200, {}, answer)

    with Other() as api, pytest.raises((TypeError, ValueError), match=words):
        loaded(adapter_of(api))


def test_a_list_of_plain_values(adapter_of: MakeAdapter) -> None:
    class Names(JsonApi):
        def respond(self, request: Request) -> Answer:
            return Answer(200, {}, b'["a", "b"]')

    with Names(items="", paging="none") as api:
        assert names(loaded(adapter_of(api, {"fields": {"name": "value"}}))) == ["a", "b"]


def test_a_filter_of_the_records_and_of_the_path(adapter_of: MakeAdapter) -> None:
    with JsonApi(*TEN, {"name": "x", "site": "Bergen"}) as api:
        for records in ({"params": {"site": "Bergen"}}, {"from": "devices/?site=Bergen"}):
            assert names(loaded(adapter_of(api, records))) == ["x"]


FINDS: list[Mapping[str, Any]] = [{}, {"find": {"name": "{name}"}}]


@pytest.mark.parametrize("records", FINDS)
def test_records_are_found_by_their_identifiers(adapter_of: MakeAdapter, records: dict[str, Any]) -> None:
    with JsonApi(*TEN, {"name": "a/b&c"}) as api:
        adapter = adapter_of(api, records)
        found = adapter.find(adapter.mappers["device"], [{"name": "d7"}, {"name": "gone"}, {"name": "a/b&c"}])
    assert [record and record["$id"] for record in found] == [8, None, 11]


def test_a_record_is_found_at_its_own_path(adapter_of: MakeAdapter) -> None:
    with JsonApi({"name": "1"}, {"name": "2"}) as api:
        adapter = adapter_of(api, {"find": "{path}{name}/"})
        found = adapter.find(adapter.mappers["device"], [{"name": "2"}, {"name": "3"}])
        assert [path for _, path in api.requests] == ["/devices/2/", "/devices/3/"]
    assert [record and record["name"] for record in found] == ["2", None]


def test_a_template_has_a_closed_set_of_names(adapter_of: MakeAdapter) -> None:
    with JsonApi() as api:
        for template in ("{path}{id.__class__}/", "{path}{id!r}/", "{path}{site}/", "{}", "{0}", "{path"):
            for records in ({"writing": {"update": f"PATCH {template}"}}, {"find": template}):
                with pytest.raises(ValueError, match="template"):
                    adapter_of(api, records)
