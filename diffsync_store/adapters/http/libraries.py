"""The libraries of the HTTP client; without them, the error says what to install."""

try:
    import httpx
    import tenacity
except ImportError as error:
    raise ImportError(
        "This adapter needs the packages httpx and tenacity: pip install 'diffsync-store[rest]'"
    ) from error

__all__ = ["httpx", "tenacity"]
