"""Settings for tests with hypothesis: the same examples in each run, without a deadline."""

from __future__ import annotations

from hypothesis import HealthCheck, settings


def drawn(*, max_examples: int) -> settings:
    """Return settings for tests whose examples share one server, with new adapters for each example."""
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=max_examples, deadline=None, derandomize=True, suppress_health_check=checks)
