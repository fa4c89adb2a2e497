"""Messages contain no secret of the configuration, and other values stay readable."""

from traceback import format_exception

import pydantic
import pytest

from diffsync_store import LocalStore, ObjectStoreException
from diffsync_store.project import Secrets, UserError, find_problems
from diffsync_store.redaction import is_secret_name
from tests.project.conftest import Problems, Read
from tests.project.files import ADAPTERS, PLAIN, STORE


@pytest.mark.parametrize("message", ["pg://me:s3cr3t@host/db", "password is s3cr3t"])
def test_no_message_has_a_secret(read: Read, message: str) -> None:
    settings = "{url: '${URL}'}"
    found = read(
        f"{STORE}adapters: {{a: {{class: 'tests.airports.database:SqlAdapter', settings: {settings}}}}}",
        URL="pg://me:s3cr3t@host/db",
    )
    with pytest.raises(Exception, match="a") as caught:  # no such dialect
        found.make_adapter("a", LocalStore())
    assert "s3cr3t" not in str(caught.value)
    assert "s3cr3t" not in found.secrets.redact(message)
    with pytest.raises(RuntimeError) as redacted, found.secrets.redacted_errors():
        raise ValueError(message)
    assert "s3cr3t" not in str(redacted.value)
    assert redacted.value.__cause__ is None
    assert "s3cr3t" not in repr(found.adapters)


def test_the_secrets_of_an_adapters_settings_are_masked_at_any_depth(read: Read) -> None:
    found = read(
        f"""\
        {STORE.strip()}
        adapters:
          a:
            class: {ADAPTERS}:SecretiveAdapter
            settings:
              folder: ${{RELEASES}}
              password: plainly-written
              logins: [{{user: annette, token: in-a-list}}]
              by_site: {{zurich: in-bytes}}
              database: postgresql://ann:in-a-url@db.example/x
              note: call it with ${{SITE_TOKEN}} please
        """,
        SITE_TOKEN="of-a-variable",
        RELEASES="/srv/releases",
    )
    assert list(find_problems(found)) == []
    secrets = ("plainly-written", "in-a-list", "in-bytes", "in-a-url", "of-a-variable")
    assert [secret for secret in secrets if found.secrets.redact(secret) != "***"] == []
    text = "annette found no /srv/releases at zurich, db.example"
    assert found.secrets.redact(text) == text


def test_the_message_of_an_adapters_own_validator_shows_no_secret(problems: Problems) -> None:
    settings = "{password: hunter22}"
    assert problems(f"{STORE}adapters: {{a: {{class: '{ADAPTERS}:LeakySettings', settings: {settings}}}}}") == [
        "2:74: adapters.a.settings.password: *** is too short"
    ]


@pytest.mark.parametrize(
    "written",
    ["*s3cr3t", "!s3cr3t", "!!s3cr3t x", "@s3cr3t", "%s3cr3t", "{s3cr3t", "[s3cr3t]", "`s3cr3t", '"s3cr3t\\q"'],
)
@pytest.mark.parametrize(
    "place", ["store:\n  url: {}\n", "{}\nadapters:\n  a:\n    class: {}\n    settings:\n      token: {}\n"]
)
def test_a_password_that_is_not_valid_yaml_is_not_in_the_message(problems: Problems, place: str, written: str) -> None:
    content = (
        place.replace("{}", STORE.strip(), 1).replace("{}", f"{ADAPTERS}:SettledAdapter", 1)
        if "adapters" in place
        else place
    )
    found = problems(content.replace("{}", written))
    assert found
    assert "s3cr3t" not in "".join(found)


def test_a_url_in_a_wrong_place_is_shown_without_its_password(problems: Problems) -> None:
    [problem] = problems(f"{STORE}adapters: {{a: {{class: 'pg://me:s3cr3t@host/db'}}}}")
    assert problem.endswith("got 'pg://me:***@host/db'")


def test_all_text_settings_of_an_adapter_without_a_settings_model_are_secret(read: Read) -> None:
    found = read(f"{STORE}adapters: {{a: {{class: '{PLAIN}', settings: {{label: unknown-kind}}}}}}")
    found.make_adapter("a", LocalStore())
    assert found.secrets.redact("401 for unknown-kind") == "401 for ***"


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [
        *(
            (name, True)
            for name in ("PASSWORD", "netbox_token", "snmp-community", "api_key", "APIKEY", "enable_secret")
        ),
        *((name, False) for name in ("sort_key", "PASSENGERS", "tokens_per_minute", "keyfile", "auth_type", "")),
    ],
)
def test_a_name_decides_whether_its_value_is_secret(name: str, is_secret: bool) -> None:
    assert is_secret_name(name) == is_secret


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ObjectStoreException("in the way: s3cr3t"), UserError, "in the way: ***"),
        (ConnectionResetError("s3cr3t"), ConnectionError, "ConnectionResetError: ***"),
        (KeyError("s3cr3t"), RuntimeError, "KeyError: '***'"),
    ],
)
def test_a_redacted_error_keeps_its_kind(error: Exception, kind: type[Exception], message: str) -> None:
    secrets = Secrets()
    secrets.add("s3cr3t")
    with pytest.raises(kind) as caught, secrets.redacted_errors():
        raise error
    assert (type(caught.value), str(caught.value)) == (kind, message)


@pytest.mark.parametrize(
    "url",
    [
        "redis+cluster://me:s3cr%2F3t@one:6379,two:6379",
        "rediss+sentinel://me:s3cr%2F3t@one,two/service/0?sentinel_password=w%40tcher",
        "unix:///run/redis.sock?db=1&password=s3cr%2F3t",
    ],
)
def test_the_password_of_any_url_is_redacted(url: str) -> None:
    secrets = Secrets()
    secrets.add(url)
    passwords = ("s3cr/3t", "s3cr%2F3t", *(("w@tcher", "w%40tcher") if "sentinel" in url else ()))
    for shown in (url, *passwords):
        redacted = secrets.redact(f"cannot reach {shown}!")
        assert not [password for password in passwords if password in redacted]


@pytest.mark.parametrize("is_cause", [False, True])
def test_a_validation_error_has_no_values(*, is_cause: bool) -> None:
    """Pydantic's message has the invalid value, which may be a secret."""

    class Login(pydantic.BaseModel):
        password: int

    def load() -> None:
        try:
            Login.model_validate({"password": "s3cr3t"})
        except pydantic.ValidationError as error:
            if is_cause:
                raise LookupError("no such login") from error
            raise

    with pytest.raises(RuntimeError) as raised, Secrets().redacted_errors():
        load()
    assert "s3cr3t" not in "".join(format_exception(raised.value))
    assert ("no such login" if is_cause else "password: Input should be a valid integer") in str(raised.value)
