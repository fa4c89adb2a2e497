"""RestAdapter: JSON APIs over HTTP.

`from` of a model is a path below the API's `url`, such as `dcim/devices/`. What the lists of an API look like is said once, in the
settings: where the records are in an answer, how the next page is found, how a record is created, changed and deleted.

    settings: {url: "${API}", token: "${TOKEN}", items: results, paging: {kind: offset, size: 500, total: count}}
"""

from diffsync_store.adapters.rest.adapter import RestAdapter
from diffsync_store.adapters.rest.settings import Paging, RestRecords, RestSettings, Writing

__all__ = ["Paging", "RestAdapter", "RestRecords", "RestSettings", "Writing"]
