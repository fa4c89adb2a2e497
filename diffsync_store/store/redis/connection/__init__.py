"""Connecting to Redis: one server, TLS, a Unix socket, a cluster or Sentinels."""

from diffsync_store.store.redis.connection.connection import Connection
from diffsync_store.store.redis.connection.errors import translated_errors

__all__ = ["Connection", "translated_errors"]
