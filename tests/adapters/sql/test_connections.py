"""Connections that cannot be made, are lost, or are used by several threads."""

import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airports.demo.ports import free_port
from diffsync_store.adapters.sql import DatabaseRefused, DatabaseUnavailable, SqlAdapter
from diffsync_store.transient import is_transient, was_not_done
from tests.adapters.sql.conftest import MODELS, RECORDS, Make, apply, loaded, on_servers, rows, run, source_of

PASSWORD = "hunter22"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{PASSWORD}@h:port/db",
        f"u:{PASSWORD}@host",
        f"//u:{PASSWORD}@host/db",
        f"nothing://u:{PASSWORD}@h/db",
        "",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_a_url_that_cannot_be_read_is_an_error_without_the_password(url: str) -> None:
    with pytest.raises(
        ValueError, match=r"not the URL of a database|in memory|no SQLAlchemy dialect 'nothing'"
    ) as error:
        SqlAdapter({"url": url}, MODELS, RECORDS)
    assert PASSWORD not in str(error.value)


@pytest.mark.parametrize(
    ("url", "command"),
    [
        (f"mssql+pyodbc://u:{PASSWORD}@h/db", "pip install pyodbc"),
        (f"oracle://u:{PASSWORD}@h/db", "pip install cx_Oracle"),
    ],
)
def test_a_missing_driver_is_named_with_its_remedy(url: str, command: str) -> None:
    with pytest.raises(ImportError) as error:
        SqlAdapter({"url": url}, MODELS, RECORDS).open()
    assert command in str(error.value)
    assert PASSWORD not in str(error.value)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_server_that_cannot_be_reached_is_a_transient_error_in_one_line(kind: str) -> None:
    adapter = SqlAdapter({"url": f"{kind}://u:{PASSWORD}@127.0.0.1:{free_port()}/db"}, MODELS, RECORDS)
    with pytest.raises(DatabaseUnavailable) as error:
        adapter.open()
    assert is_transient(error.value)
    assert "\n" not in str(error.value)
    assert PASSWORD not in str(error.value)


def test_a_file_that_cannot_be_opened_is_an_error_in_one_line(tmp_path: Path) -> None:
    adapter = SqlAdapter({"url": f"sqlite:///{tmp_path}/missing/inventory.db"}, MODELS, RECORDS)
    with pytest.raises(DatabaseRefused, match="unable to open database file"):
        adapter.open()


def test_a_file_that_is_no_database_is_an_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("number,name\n", "utf-8")
    adapter = SqlAdapter({"url": f"sqlite:///{tmp_path}/a.db"}, MODELS, RECORDS)
    for call in (adapter.open, lambda: loaded(adapter)):
        with pytest.raises(DatabaseRefused, match=r"^The database says: file is not a database$"):
            call()
    adapter.close()


@on_servers
def test_a_wrong_login_is_an_error_that_stays(database_url: str, engine: sa.Engine) -> None:
    url = sa.make_url(database_url).set(username="nobody", password=PASSWORD)
    adapter = SqlAdapter({"url": url.render_as_string(hide_password=False)}, MODELS, RECORDS)
    with pytest.raises(DatabaseRefused) as error:
        adapter.open()
    assert not is_transient(error.value)
    assert PASSWORD not in str(error.value)


@on_servers
def test_a_right_that_is_missing_refuses_the_rows(inventory: sa.Engine, database_url: str) -> None:
    name = inventory.dialect.name
    if name == "postgresql":
        run(
            inventory,
            "DROP ROLE IF EXISTS reader",
            "CREATE ROLE reader LOGIN",
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
        )
    else:
        run(
            inventory,
            "DROP USER IF EXISTS reader@'%'",
            "CREATE USER reader@'%'",
            f"GRANT SELECT ON {inventory.url.database}.* TO reader@'%'",
        )
    adapter = SqlAdapter({"url": sa.make_url(database_url).set(username="reader").render_as_string()}, MODELS, RECORDS)
    result = apply(source_of({"region": [{"name": "a"}, {"name": "b"}]}), loaded(adapter))
    adapter.close()
    assert result.failed == 2
    assert "denied" in result.rejects[0].reason
    if name == "postgresql":
        run(inventory, "DROP OWNED BY reader", "DROP ROLE reader")


def kill_connections(engine: sa.Engine) -> None:
    """End all other connections to the database."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
            return
        query = "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"
        for [number] in connection.execute(sa.text(query)):
            connection.execute(sa.text(f"KILL {number}"))


@on_servers
@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
def test_an_answer_that_is_lost_is_looked_up_and_nothing_is_done_twice(
    inventory: sa.Engine, make: Make, moment: str
) -> None:
    given = {"region": [{"name": name} for name in "abc"]}
    source, target = source_of(given), loaded(make())
    lost: list[Any] = []

    def lose(connection: Any) -> None:
        if not lost and connection.get_execution_options().get("diffsync_store_writes"):
            lost.append(connection)
            if moment == "after the commit":
                connection.connection.commit()
            kill_connections(inventory)

    sa.event.listen(target.engine, "commit", lose)
    result = apply(source, target, retries=2, backoff=0.01)
    assert lost
    assert (result.created, result.failed) == (3, 0), result.rejects
    assert rows(inventory, "SELECT name FROM regions ORDER BY name") == [("a",), ("b",), ("c",)]


@on_servers
def test_a_transaction_that_was_not_committed_is_known_to_have_done_nothing(inventory: sa.Engine, make: Make) -> None:
    def write(then: str) -> None:
        with database.writing() as connection:
            connection.execute(sa.text("INSERT INTO regions (name) VALUES ('a')"))
            kill_connections(inventory)
            if then:
                connection.execute(sa.text(then))

    def ended(then: str) -> DatabaseUnavailable:
        with pytest.raises(DatabaseUnavailable) as caught:
            write(then)
        return caught.value

    database = make()._database
    assert was_not_done(ended("SELECT 1")) is (inventory.dialect.name == "postgresql")
    assert not was_not_done(ended(""))  # the commit was sent
    assert rows(inventory, "SELECT name FROM regions") == []


@on_servers
def test_a_connection_that_died_while_it_was_idle_is_replaced(inventory: sa.Engine, make: Make) -> None:
    target = loaded(make())
    kill_connections(inventory)
    assert apply(source_of({"region": [{"name": "a"}]}), target).created == 1


@on_servers
def test_a_deadlock_is_transient_and_the_rows_are_written_by_the_next_attempt(inventory: sa.Engine, make: Make) -> None:
    run(
        inventory,
        "INSERT INTO regions (name) VALUES ('a')",
        "INSERT INTO regions (name) VALUES ('b')",
        "INSERT INTO regions (name) VALUES ('c')",
    )
    target = loaded(make())
    source = source_of({"region": [{"name": "a", "parent": "c"}, {"name": "b", "parent": "c"}, {"name": "c"}]})
    first_waits = threading.Event()

    def other_writer() -> None:
        with inventory.begin() as connection:
            if inventory.dialect.name == "postgresql":
                connection.execute(sa.text("SET LOCAL deadlock_timeout = '200s'"))  # it is the other one that finds it
            for number in range(50):  # MariaDB ends the transaction that has changed less
                connection.execute(sa.text(f"INSERT INTO regions (name) VALUES ('other {number}')"))
            connection.execute(sa.text("SELECT id FROM regions WHERE name = 'b' FOR UPDATE"))
            locked.set()
            assert first_waits.wait(100)
            connection.execute(sa.text("SELECT id FROM regions WHERE name = 'a' FOR UPDATE"))

    locked = threading.Event()
    other = threading.Thread(target=other_writer)
    other.start()
    assert locked.wait(100)
    sa.event.listen(
        target.engine, "before_cursor_execute", lambda *call: first_waits.set() if "UPDATE" in call[2] else None
    )
    result = apply(source, target, retries=5, backoff=0.05)
    other.join(200)
    assert (result.updated, result.failed) == (2, 0), result.rejects


def test_eight_threads_write_and_look_up_at_once(inventory: sa.Engine, make: Make) -> None:
    given = {
        "region": [{"name": f"r{number}"} for number in range(50)],
        "site": [{"name": f"s{number}", "region": f"r{number % 50}"} for number in range(800)],
    }
    source = source_of(given)
    result = apply(source, loaded(make()), workers=8, batch_size=10)
    assert (result.created, result.failed) == (850, 0), result.rejects
    target = loaded(make())
    assert not target.diff_from(source).has_diffs()
    result = apply(source_of({"region": given["region"]}), target, workers=8, batch_size=10)
    assert (result.deleted, result.failed) == (800, 0), result.rejects
