"""The parts of a comparison: the two sides, the comparer of objects, pruning by digests."""
