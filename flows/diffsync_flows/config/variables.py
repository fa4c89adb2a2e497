"""`${VAR}` in a text; `$${` stands for `${`."""

import re
from collections.abc import Mapping

VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{")
BARE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
MALFORMED = "a ${ that begins no variable: ${NAME} has letters, digits and _ in its name; $${ stands for ${ as it is"


def names_in(text: str) -> list[str]:
    return [found[1] for found in VARIABLE.finditer(text) if found[1]]


def is_malformed(text: str) -> bool:
    """Whether there is a `${` that neither begins a variable nor is meant literally."""
    return any(found[0] == "${" for found in VARIABLE.finditer(text))


def bare_name(text: str) -> str:
    """The name in a text that is `$NAME` and nothing else: as a shell has it, and this file has not."""
    found = BARE.fullmatch(text)
    return found[1] if found else ""


def expanded(text: str, values: Mapping[str, str]) -> str:
    """The text with the values; empty for a name that has none."""
    return VARIABLE.sub(lambda found: values.get(found[1], "") if found[1] else "${", text)
