"""Convert values to tagged JSON, which is read back exactly, and to readable JSON."""
