"""The texts below the attributes of a class.

pydantic reads them with `use_attribute_docstrings` when it creates the class, which takes a fifth of the time to import this
package. Only the JSON Schema needs them.
"""

import ast
import inspect
from itertools import pairwise
from textwrap import dedent
from typing import Any

from pydantic import BaseModel


def add_docstrings(properties: dict[str, Any], model: type[BaseModel]) -> None:
    """Add the texts below the fields of a model to its properties in a JSON Schema, as their descriptions."""
    for owner in reversed(model.__mro__):
        if issubclass(owner, BaseModel) and not owner.__module__.startswith("pydantic."):
            for name, text in _docstrings(owner).items():
                field = model.model_fields.get(name)
                if field is not None and field.description is None:
                    properties[field.alias or name]["description"] = text


def _docstrings(owner: type) -> dict[str, str]:
    (definition,) = ast.parse(dedent(inspect.getsource(owner))).body
    assert isinstance(definition, ast.ClassDef)  # noqa: S101  # for the type checker: it is the source of a class
    return {
        attribute.target.id: inspect.cleandoc(text.value.value)
        for attribute, text in pairwise(definition.body)
        if isinstance(attribute, ast.AnnAssign)
        and isinstance(attribute.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
