"""The YAML file of adapters and syncs."""
