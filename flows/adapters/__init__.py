"""Ready adapters."""
