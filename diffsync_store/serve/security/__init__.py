"""Protect the page and the API against other sites, other hosts and too many requests."""
