"""The pages of the review page, rendered on the server. They work without scripts too."""

from diffsync_store.serve.pages.routes import page_routes

__all__ = ["page_routes"]
