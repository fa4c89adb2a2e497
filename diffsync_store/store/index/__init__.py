"""The index of a store: the digests of its objects in buckets, their sums, and who lists whom as child."""
