"""The JSON API under /api/v1."""

from diffsync_store.serve.api.openapi import openapi_document
from diffsync_store.serve.api.routes import api_routes

__all__ = ["api_routes", "openapi_document"]
