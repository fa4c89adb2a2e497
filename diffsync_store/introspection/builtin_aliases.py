"""Names for built-in types in classes whose members are called `str` and `dict`, as diffsync's are.

In the annotations of such a class `str` and `dict` mean the members.
"""

from typing import Any

Text = str
Data = dict[str, Any]
Identifiers = dict[str, Any]
ChildFields = dict[str, str]
Counts = dict[str, int]
