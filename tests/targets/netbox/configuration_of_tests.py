"""Settings of the NetBox of the tests. The tests put their ports and the folder of its files into the environment."""

import os

ALLOWED_HOSTS = ["127.0.0.1"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "netbox",
        "USER": "postgres",
        "HOST": "127.0.0.1",
        "PORT": os.environ["NETBOX_TEST_POSTGRES_PORT"],
        # A test may put a new database in the place of the one that a connection is open to.
        "CONN_MAX_AGE": 0,
    }
}
_REDIS = {"HOST": "127.0.0.1", "PORT": int(os.environ["NETBOX_TEST_REDIS_PORT"]), "SSL": False}
REDIS = {"tasks": {**_REDIS, "DATABASE": 0}, "caching": {**_REDIS, "DATABASE": 1}}
SECRET_KEY = "only-for-tests-" + "0123456789" * 5
API_TOKEN_PEPPERS = {1: "only-for-tests-" + "0123456789" * 5}
CENSUS_REPORTING_ENABLED = False
MEDIA_ROOT = REPORTS_ROOT = SCRIPTS_ROOT = os.environ["NETBOX_TEST_FILES"]
