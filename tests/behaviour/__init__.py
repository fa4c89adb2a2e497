"""How models, adapters, diffs and syncs behave, on every store.

All but `test_differences.py` says what diffsync 2.2.3 does too. To prove it, the same tests run against diffsync with its
own store in memory, in any environment that has `diffsync==2.2.3`, `pytest` and `hypothesis`, from the root of the project:

    DIFFSYNC_REFERENCE=1 python -m pytest -c /dev/null --rootdir tests/behaviour --confcutdir tests/behaviour \
        -p no:cacheprovider tests/behaviour
"""
