"""Variables in texts: `${NAME}` is replaced by a value, `$${` stands for `${`."""

import re
from collections.abc import Iterator, Mapping

_VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{")
_BARE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")


def names_in(text: str) -> list[str]:
    """Return the names of the variables in a text."""
    return [found[1] for found in _VARIABLE.finditer(text) if found[1]]


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace the variables; one without a value becomes empty."""
    return _VARIABLE.sub(lambda found: values.get(found[1], "") if found[1] else "${", text)


def invalid_variables(text: str, values: Mapping[str, str]) -> Iterator[str]:
    """Yield the problems of the variables in a text."""
    for name in names_in(text):
        if name not in values:
            yield f"the environment variable {name} is not set"
    if any(found[0] == "${" for found in _VARIABLE.finditer(text)):
        yield "invalid variable. Write ${NAME} with letters, digits and _; write $${ for a literal ${."
    bare = _BARE.fullmatch(text)
    if bare and bare[1] in values:
        yield f"{text} is not a variable. Write ${{{bare[1]}}}."
