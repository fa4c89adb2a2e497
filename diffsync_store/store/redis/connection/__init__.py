"""Connecting to Redis, and the one place where redis errors become the library's."""

from diffsync_store.store.redis.connection.connection import Connection, translated_errors

__all__ = ["Connection", "translated_errors"]
