"""What model classes, fields and functions declare, read once per class."""
