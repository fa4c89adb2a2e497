"""A project that is written for diffsync, and imports it."""
