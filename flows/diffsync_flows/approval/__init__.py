"""Ask a person before a diff is applied."""
