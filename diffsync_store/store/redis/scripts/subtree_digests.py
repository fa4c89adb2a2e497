"""The scripts that read the digests that a store keeps of each object and of the objects below it.

Each object has a *node*: its own digest, the sum of the digests at and below it, and the objects that list it as a child.
A write changes the node of its object, and propagates the change through the parents to the top. A change of a digest is
the same change of every sum above it, so a write costs as much as the tree is deep.

A node contributes to its parents:

    x, y    the sum of the digests, in two lanes modulo 2^48
    n       objects that a diff counts
    k       objects that a diff skips because of their flags, with all objects below them
    m       children that are listed and not stored

Top-level objects are in buckets by a hash of their unique id, each bucket with the sum of its objects: two stores compare
buckets first. The record says if digests cannot be trusted: objects of one model were written by classes that compare
differently, or are below themselves.
"""

from diffsync_store.store.digest import SIZE
from diffsync_store.store.redis.scripts.script import Script

BUCKETS = 16384
"""About sixty objects in each at a million objects."""

NODE_SIZE = SIZE + 12
"""Bytes of a node in an answer: x and y, then n, k, m with four bytes each."""

SUBTREES = Script("subtree_digests/subtrees")
SUMS = Script("subtree_digests/sums")
MEMBERS = Script("subtree_digests/members")
