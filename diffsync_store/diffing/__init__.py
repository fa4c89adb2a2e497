"""The parts of a comparison: readers of both sides, comparison of two objects, pruning by digests."""
