"""Tables, views and queries of a database, through SQLAlchemy Core."""

try:
    import sqlalchemy  # noqa: F401  # the first import names what is missing
except ImportError as error:
    raise ImportError("SqlAdapter needs the package sqlalchemy: pip install 'diffsync-store[sql]'") from error

from diffsync_store.adapters.sql.adapter import SqlAdapter, SqlSettings
from diffsync_store.adapters.sql.errors import DatabaseRefused, DatabaseUnavailable

__all__ = ["DatabaseRefused", "DatabaseUnavailable", "SqlAdapter", "SqlSettings"]
