"""The HTTP client that the adapters of APIs share."""

from diffsync_store.adapters.http.client import HttpClient
from diffsync_store.adapters.http.errors import HttpError, NotJson, Redirected, explained, failure_in
from diffsync_store.adapters.http.settings import ClientCredentials, HttpSettings

__all__ = [
    "ClientCredentials",
    "HttpClient",
    "HttpError",
    "HttpSettings",
    "NotJson",
    "Redirected",
    "explained",
    "failure_in",
]
