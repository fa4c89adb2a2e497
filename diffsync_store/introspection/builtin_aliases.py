"""Aliases of built-in types, for the annotations of classes with members called `str` and `dict`.

In such a class, `str` and `dict` refer to the members. The names are part of diffsync's API.
"""

from typing import Any

Text = str
Data = dict[str, Any]
Identifiers = dict[str, Any]
ChildFields = dict[str, str]
Counts = dict[str, int]
