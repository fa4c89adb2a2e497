"""How models, adapters, diffs and syncs behave, on every store.

All tests except `test_differences.py` describe what diffsync 2.2.3 does too. To verify this, run them against diffsync with its
in-memory store, in any environment that has `diffsync==2.2.3`, `pytest` and `hypothesis`, from the root of the project:

    DIFFSYNC_REFERENCE=1 python -m pytest -c /dev/null --rootdir tests/behaviour --confcutdir tests/behaviour \
        -p no:cacheprovider tests/behaviour
"""
