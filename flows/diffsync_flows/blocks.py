"""Prefect blocks: secrets that stand in Prefect's database, and not in the environment of the workers."""

from typing import ClassVar

from prefect.blocks.core import Block
from pydantic import Field, SecretStr


class DiffsyncStore(Block):
    """Where stores and diffs live; `store: {block: NAME}` in the YAML file names it."""

    _block_type_name: ClassVar[str] = "DiffSync store"
    _block_type_slug: ClassVar[str] = "diffsync-store"

    url: SecretStr = Field(description="redis://user:password@host:6379/0; rediss:// for TLS")
