import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from structlog.testing import capture_logs

from diffsync_store import DiffSyncFlags, Sync, SyncOptions
from diffsync_store.adapters.mapped import Change, MappedAdapter
from diffsync_store.exceptions import ObjectNotCreated, ObjectNotDeleted, ObjectNotUpdated, OutcomeUnknown
from tests.adapters.rest.conftest import MakeAdapter, loaded, source_of
from tests.http_service import CUT, DROP, Answer, Failure, Request
from tests.json_api import JsonApi

SINGLE: dict[str, Any] = {}
BULK: dict[str, Any] = {"writing": {"bulk": True}}
by_each_way = pytest.mark.parametrize("way", [SINGLE, BULK], ids=["single", "bulk"])

WANTED: list[dict[str, Any]] = [
    {"name": "a", "site": "Oslo"},
    {"name": "b", "site": "Bergen"},
    {"name": "Bø 北", "site": None},
]
PRESENT: list[dict[str, Any]] = [
    {"name": "b", "site": "Bodø"},
    {"name": "Bø 北", "site": "Oslo", "rack": 1},
    {"name": "x"},
    {"name": "y/z"},
]


def sync(source: MappedAdapter, target: MappedAdapter, **options: Any) -> Any:
    return Sync(
        target.diff_from(source), source, target, SyncOptions(**options), flags=DiffSyncFlags.CONTINUE_ON_FAILURE
    ).run()


def counts(result: Any) -> tuple[int, int, int, int]:
    return result.created, result.updated, result.deleted, result.failed


def change(key: int, name: str, **payload: Any) -> Change:
    return Change(key, payload, {"name": name})


# Both ways


@by_each_way
def test_a_sync_converges(adapter_of: MakeAdapter, way: dict[str, Any]) -> None:
    with JsonApi(*PRESENT) as api:
        source = source_of(*WANTED)
        result = sync(source, loaded(adapter_of(api, **way)))
        assert counts(result) == (1, 2, 2, 0)
        assert not loaded(adapter_of(api, **way)).diff_from(source).has_diffs()
        assert api.names == ["Bø 北", "a", "b"]


@by_each_way
def test_what_is_created_can_be_changed_and_deleted_at_once(adapter_of: MakeAdapter, way: dict[str, Any]) -> None:
    with JsonApi() as api:
        target = loaded(adapter_of(api, **way))
        assert counts(sync(source_of(*WANTED), target)) == (3, 0, 0, 0)
        assert counts(sync(source_of(*({**each, "rack": 7} for each in WANTED)), target)) == (0, 3, 0, 0)
        assert counts(sync(source_of(), target)) == (0, 0, 3, 0)
        assert api.records == {}


@by_each_way
@pytest.mark.parametrize("names_bad", [True, False])
def test_bad_records_are_refused_alone(adapter_of: MakeAdapter, way: dict[str, Any], names_bad: bool) -> None:
    wanted = [{"name": f"{'bad' if number in {3, 7, 8} else 'd'}{number}"} for number in range(12)]
    with JsonApi(names_bad=names_bad) as api:
        result = sync(source_of(*wanted), loaded(adapter_of(api, **way)))
        assert counts(result) == (9, 0, 0, 3)
        assert [reject.unique_id for reject in result.rejects] == ["bad3", "bad7", "bad8"]
        assert all("This name is refused" in reject.reason or "One of" in reject.reason for reject in result.rejects)
        assert len(api.names) == 9
        if way and names_bad:
            assert len(api.writes()) == 2


@by_each_way
def test_bad_updates_are_refused_alone(adapter_of: MakeAdapter, way: dict[str, Any]) -> None:
    with JsonApi(*({"name": f"d{number}"} for number in range(6))) as api:
        wanted = [{"name": f"d{number}", "site": "bad" if number == 4 else "Oslo"} for number in range(6)]
        result = sync(source_of(*wanted), loaded(adapter_of(api, **way)))
        assert counts(result) == (0, 5, 0, 1)
        assert [record.get("site") for record in api.records.values()] == ["Oslo"] * 4 + [None, "Oslo"]


@by_each_way
def test_records_that_vanished_meanwhile(adapter_of: MakeAdapter, way: dict[str, Any]) -> None:
    with JsonApi(*({"name": f"d{number}"} for number in range(4))) as api:
        target = loaded(adapter_of(api, **way))
        del api.records[1], api.records[3]
        result = sync(source_of({"name": "d0", "site": "Oslo"}, {"name": "d1", "site": "Oslo"}), target)
        assert counts(result) == (0, 1, 2, 1)
        assert [reject.unique_id for reject in result.rejects] == ["d0"]


@by_each_way
@pytest.mark.parametrize("how", [DROP, CUT, 502])
def test_a_lost_answer_is_looked_up_and_nothing_is_done_twice(
    adapter_of: MakeAdapter, way: dict[str, Any], how: Failure
) -> None:
    class DoesItFirst(JsonApi):
        """Carries out a write, and then loses its answer."""

        def respond(self, request: Request) -> Answer:
            answer = super().respond(request)
            if request.method != "GET" and not self.lost:
                self.lost = True
                return Answer(502, {}, b"")
            return answer

        lost = False

    with DoesItFirst() as api:
        target = loaded(adapter_of(api, **way))
        result = sync(source_of(*WANTED), target, retries=2, backoff=0.01)
        assert (result.failed, api.names) == (0, ["Bø 北", "a", "b"])
        if how != 502:
            api.failures[:] = [how]
        assert counts(sync(source_of(), target, retries=2, backoff=0.01)) == (0, 0, 3, 0)
        assert api.records == {}


def test_a_refusal_to_answer_after_others_were_done_does_not_say_that_nothing_was_done(adapter_of: MakeAdapter) -> None:
    with JsonApi() as api:
        adapter = adapter_of(api, attempts=1)
        mapper = adapter.mappers["device"]

        def fail_the_second(_: Request) -> None:
            if len(api.received) == 1:
                api.failures.append((429, {"Retry-After": "0"}))

        api.before = fail_the_second
        with pytest.raises(OutcomeUnknown, match=r"after other requests of the same call succeeded: .* answered 429"):
            adapter.send_creates(mapper, [{"name": "a"}, {"name": "b"}])
        assert api.names == ["a"]
        api.before = lambda _: None
        loaded(adapter)
        assert counts(sync(source_of({"name": "a"}, {"name": "b"}, {"name": "c"}), adapter, retries=2)) == (2, 0, 0, 0)


@by_each_way
def test_rights_that_are_missing_are_rejects(adapter_of: MakeAdapter, way: dict[str, Any]) -> None:
    class Reader(JsonApi):
        def respond(self, request: Request) -> Answer:
            return super().respond(request) if request.method == "GET" else Answer(403, {}, b'{"detail": "Read only."}')

    with Reader(*PRESENT) as api:
        result = sync(source_of(*WANTED), loaded(adapter_of(api, **way)))
        assert counts(result) == (0, 0, 0, 5)
        assert all("answered 403 Forbidden: Read only." in reject.reason for reject in result.rejects)


# Single records


def test_the_id_comes_from_the_address_where_the_answer_has_none(adapter_of: MakeAdapter) -> None:
    class Silent(JsonApi):
        def respond(self, request: Request) -> Answer:
            answer = super().respond(request)
            return answer._replace(body=b"") if request.method == "POST" else answer

    with Silent({"name": "x"}) as api:
        adapter = adapter_of(api)
        assert adapter.send_creates(adapter.mappers["device"], [{"name": "a"}]) == [2]


def test_methods_paths_and_wrappers_are_templates(adapter_of: MakeAdapter) -> None:
    class Wrapped(JsonApi):
        def respond(self, request: Request) -> Answer:
            return Answer(200, {}, b'{"data": {"uid": "u-1"}}')

    writing = {
        "create": "PUT v2/{name}",
        "update": "POST v2/{name}/change?id={id}",
        "delete": "POST v2/{id}/drop",
        "wrap": "device",
        "answer": "data",
    }
    with Wrapped() as api:
        adapter = adapter_of(api, id="uid", writing=writing)
        mapper = adapter.mappers["device"]
        assert adapter.send_creates(mapper, [{"name": "a/../b?c"}]) == ["u-1"]
        assert adapter.send_updates(mapper, [change(7, "a b", site="x")]) == [None]
        assert adapter.send_deletes(mapper, [change(7, "a")]) == [None]
        assert [(each.method, each.path, json.loads(each.body or b"0")) for each in api.received] == [
            ("PUT", "/v2/a%2F..%2Fb%3Fc", {"device": {"name": "a/../b?c"}}),
            ("POST", "/v2/a%20b/change?id=7", {"device": {"site": "x"}}),
            ("POST", "/v2/7/drop", 0),
        ]


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_value_that_leads_to_another_path_is_refused(adapter_of: MakeAdapter, name: str) -> None:
    with JsonApi() as api:
        adapter = adapter_of(api, writing={"delete": "DELETE {path}{name}"})
        [answer] = adapter.send_deletes(adapter.mappers["device"], [change(1, name)])
        assert isinstance(answer, ObjectNotDeleted)
        assert not api.requests


def test_the_writing_of_one_model_differs(adapter_of: MakeAdapter) -> None:
    with JsonApi({"name": "x"}) as api:
        adapter = adapter_of(api, {"writing": {"update": "PUT {path}{id}/"}}, writing={"bulk": True, "bulk_size": 5})
        writing = adapter.writing_of(adapter.mappers["device"])
        assert (writing.update, writing.bulk, writing.bulk_size) == ("PUT {path}{id}/", True, 5)


def test_put_sends_the_whole_record(adapter_of: MakeAdapter) -> None:
    with JsonApi({"name": "x", "owner": {"team": "net", "mail": "m"}, "site": "Oslo"}) as api:
        adapter = adapter_of(api, writing={"update": "PUT {path}{id}/"})
        assert adapter.send_updates(adapter.mappers["device"], [change(1, "x", owner={"team": "ops"})]) == [None]
        [(method, body)] = api.writes()
        assert (method, body) == ("PUT", {"id": 1, "name": "x", "owner": {"team": "ops", "mail": "m"}, "site": "Oslo"})


def test_if_match_protects_what_others_have_changed(adapter_of: MakeAdapter) -> None:
    with JsonApi({"name": "x", "site": "Oslo"}, {"name": "y"}) as api:
        adapter = adapter_of(api, writing={"if_match": True, "bulk": True})
        target = loaded(adapter)
        api.records[1]["site"] = "Bergen"  # since the load

        def change_between(request: Request) -> None:
            if request.method == "PATCH" and request.path == "/devices/2/":
                api.versions[2] += 1  # between the read and the write

        api.before = change_between
        result = sync(source_of({"name": "x", "rack": 1}, {"name": "y", "rack": 1}), target)
        assert counts(result) == (0, 0, 0, 2)
        first, second = (reject.reason for reject in result.rejects)
        assert "The record has changed since it was loaded: site. Load and diff again." in first
        assert "answered 412" in second
        assert [record.get("rack") for record in api.records.values()] == [None, None]
        api.before = lambda _: None
        loaded_again = loaded(adapter_of(api, writing={"if_match": True}))
        assert counts(sync(source_of({"name": "x", "rack": 1}, {"name": "y", "rack": 1}), loaded_again)) == (0, 2, 0, 0)
        assert [each.headers["if-match"] for each in api.received[-4:] if each.method == "PATCH"] == ['"1"', '"2"']


@by_each_way
def test_fields_that_the_api_drops_are_named(adapter_of: MakeAdapter, way: dict[str, Any]) -> None:
    with JsonApi(*({"name": name} for name in "xyz"), drops=["rack"]) as api:
        target = loaded(adapter_of(api, **way))
        with capture_logs() as logged:
            result = sync(source_of(*({"name": name, "site": "Oslo", "rack": 1} for name in "wxyz")), target)
        assert counts(result) == (1, 0, 0, 3)
        assert {reject.reason for reject in result.rejects} >= {"The API has dropped rack without an error."}
        assert [entry for entry in logged if entry.get("fields") == ["rack"]]


def test_a_page_of_html_after_a_write_leaves_the_outcome_open(adapter_of: MakeAdapter) -> None:
    class Login(JsonApi):
        def respond(self, request: Request) -> Answer:
            return Answer(200, {"Content-Type": "text/html"}, b"<html>Log in</html>")

    with Login() as api:
        adapter = adapter_of(api)
        with pytest.raises(OutcomeUnknown, match="Log in"):
            adapter.send_creates(adapter.mappers["device"], [{"name": "a"}])


# Lists


def test_large_lists_go_in_parts(adapter_of: MakeAdapter) -> None:
    with JsonApi() as api:
        adapter = adapter_of(api, writing={"bulk": True, "bulk_size": 4})
        mapper = adapter.mappers["device"]
        assert adapter.send_creates(mapper, [{"name": f"d{number}"} for number in range(10)]) == list(range(1, 11))
        assert [len(body) for _, body in api.writes()] == [4, 4, 2]


def test_some_calls_may_be_bulk_only(adapter_of: MakeAdapter) -> None:
    with JsonApi(*PRESENT) as api:
        sync(source_of(*WANTED, {"name": "c"}), loaded(adapter_of(api, writing={"bulk": ["create"]})))
        assert [method for method, body in api.writes() if isinstance(body, list)] == ["POST"]


def test_created_records_are_matched_in_any_order(adapter_of: MakeAdapter) -> None:
    class Backwards(JsonApi):
        """Answers in an order of its own, and trims names."""

        def respond(self, request: Request) -> Answer:
            answer = super().respond(request)
            if request.method != "POST":
                return answer
            return answer._replace(body=json.dumps(json.loads(answer.body)[::-1]).encode())

        def add(self, record: Any) -> dict[str, Any]:
            return super().add({**record, "name": record["name"].strip()})

    with Backwards() as api:
        adapter = adapter_of(api, **BULK)
        answer = adapter.send_creates(adapter.mappers["device"], [{"name": "a"}, {"name": " b "}, {"name": "c"}])
        assert answer == [1, 2, 3]


def test_an_answer_that_lacks_records_is_not_taken_for_a_failure(adapter_of: MakeAdapter) -> None:
    class Short(JsonApi):
        def respond(self, request: Request) -> Answer:
            answer = super().respond(request)
            return answer._replace(body=b"[]") if request.method == "POST" else answer

    with Short() as api:
        result = sync(source_of(*WANTED), loaded(adapter_of(api, **BULK)), retries=1, backoff=0.01)
        assert (result.failed, len(api.writes()), len(api.names)) == (0, 1, 3)


def test_a_request_that_is_done_in_part(adapter_of: MakeAdapter) -> None:
    class InPart(JsonApi):
        """Answers 207 with a status for each record."""

        def respond(self, request: Request) -> Answer:
            if request.method == "GET":
                return super().respond(request)
            found: list[Any] = []
            for item in json.loads(request.body):
                if request.method == "DELETE":
                    is_there = self.records.pop(item["id"], None)
                    found.append({"status": 204 if is_there else 404})
                elif self._fault(item):
                    found.append({"status": 422, "message": "This name is refused."})
                elif request.method == "POST":
                    found.append({"status": 201, "body": self.add(item)})
                else:
                    found.append({"status": 200, "body": self._change(item["id"], item)})
            return Answer(207, {}, json.dumps({"results": found}).encode())

    writing = {"bulk": True, "answer": "results", "each": {"status": "status", "record": "body"}}
    with InPart(*PRESENT) as api:
        target = loaded(adapter_of(api, writing=writing))
        del api.records[4]
        source = source_of(*WANTED, {"name": "bad1"}, {"name": "c"})
        result = sync(source, target)
        assert counts(result) == (2, 2, 2, 1)
        assert (
            "422; message: This name is refused." in result.rejects[0].reason or "This name" in result.rejects[0].reason
        )
        assert api.names == ["Bø 北", "a", "b", "c"]
        untold = adapter_of(api, **BULK)
        with pytest.raises(OutcomeUnknown, match=r"answered 207: the request was done in part. Set `each`"):
            untold.send_creates(untold.mappers["device"], [{"name": "e"}, {"name": "f"}])


def test_errors_stand_at_a_path(adapter_of: MakeAdapter) -> None:
    class Inside(JsonApi):
        def respond(self, request: Request) -> Answer:
            answer = super().respond(request)
            return answer._replace(body=b'{"errors": %b}' % answer.body) if answer.status == 400 else answer

    with Inside() as api:
        adapter = adapter_of(api, writing={"bulk": True, "errors": "errors"})
        answers = adapter.send_creates(adapter.mappers["device"], [{"name": "a"}, {"name": "bad"}, {"name": "c"}])
        assert [type(answer) for answer in answers] == [int, ObjectNotCreated, int]
        assert len(api.writes()) == 2


def test_threads_share_an_adapter(adapter_of: MakeAdapter) -> None:
    with JsonApi() as api:
        adapter = adapter_of(api, **BULK)
        mapper = adapter.mappers["device"]
        with ThreadPoolExecutor(8) as pool:
            parts = [[{"name": f"d{thread}-{number}"} for number in range(5)] for thread in range(8)]
            made = list(pool.map(lambda part: adapter.send_creates(mapper, part), parts))
            changes = [
                [change(key, record["name"], site="Oslo") for key, record in zip(keys, part, strict=True)]
                for keys, part in zip(made, parts, strict=True)
            ]
            assert all(
                answers == [None] * 5 for answers in pool.map(lambda some: adapter.send_updates(mapper, some), changes)
            )
        assert len(api.names) == 40
        assert all(
            api.records[key]["name"] == record["name"]
            for keys, part in zip(made, parts, strict=True)
            for key, record in zip(keys, part, strict=True)
        )


def test_a_wrong_path_for_deletes_is_not_taken_for_a_record_that_is_gone(adapter_of: MakeAdapter) -> None:
    with JsonApi({"name": "x"}, {"name": "y"}, {"name": "z"}) as api:
        adapter = adapter_of(api, writing={"delete": "DELETE item/{id}"})
        answers = adapter.send_deletes(adapter.mappers["device"], [change(1, "x"), change(2, "y")])
        assert [type(answer) for answer in answers] == [ObjectNotDeleted] * 2
        assert "answered 404 Not Found: Not found. The record still exists: correct `delete`" in str(answers[0])
        right = adapter_of(api)
        del api.records[1], api.records[3]
        gone = right.send_deletes(right.mappers["device"], [change(1, "x"), change(3, "z"), change(2, "y")])
        assert gone == [None] * 3
        assert [method for method, _ in api.requests[-4:]] == ["DELETE", "GET", "DELETE", "DELETE"]


def test_an_update_without_a_record_is_a_reject(adapter_of: MakeAdapter) -> None:
    with JsonApi() as api:
        adapter = adapter_of(api)
        [answer] = adapter.send_updates(adapter.mappers["device"], [change(5, "x", site="Oslo")])
        assert isinstance(answer, ObjectNotUpdated)
        assert "answered 404" in str(answer)


class Fails(JsonApi):
    """Answers each write with a good status and an error, and does nothing."""

    answer: Any = {}

    def respond(self, request: Request) -> Answer:
        return (
            super().respond(request) if request.method == "GET" else Answer(200, {}, json.dumps(self.answer).encode())
        )


@by_each_way
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"error": "quota exceeded"}, "quota exceeded"),
        ({"errors": [{"message": "no rights"}], "data": None}, "no rights"),
        ({"success": False, "message": "locked"}, "locked"),
    ],
)
def test_an_error_with_a_good_status_is_a_reject(
    adapter_of: MakeAdapter, way: dict[str, Any], answer: Any, reason: str
) -> None:
    with Fails(*PRESENT) as api:
        api.answer = answer
        target = loaded(adapter_of(api, **way))
        result = sync(source_of(*WANTED), target)
        assert counts(result) == (0, 0, 0, 5)
        assert all(reason in each.reason for each in result.rejects)
        assert {device.name for device in target.get_all("device")} == {record["name"] for record in PRESENT}


def test_an_error_in_the_place_of_a_record_of_a_bulk_request_is_a_reject(adapter_of: MakeAdapter) -> None:
    class SkipsSecond(JsonApi):
        def _create(self, given: list[dict[str, Any]], *, alone: bool) -> Answer:
            made: list[Any] = [self.add(item) for item in (given[0], given[2])]
            return Answer(201, {}, json.dumps([made[0], {"error": "taken"}, made[1]]).encode())

    with SkipsSecond() as api:
        result = sync(source_of(*WANTED), loaded(adapter_of(api, **BULK)))
    assert counts(result) == (2, 0, 0, 1)
    assert [(each.unique_id, each.reason) for each in result.rejects] == [("b", "taken")]
