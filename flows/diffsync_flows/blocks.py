"""The Prefect block that keeps the store's URL in Prefect's database instead of the workers' environment."""

from typing import ClassVar

from prefect.blocks.core import Block
from pydantic import Field, SecretStr


class DiffsyncStore(Block):
    """Connection to the Redis that holds stores and diffs. Name it in the YAML file: `store: {block: NAME}`."""

    _block_type_name: ClassVar[str] = "DiffSync store"
    _block_type_slug: ClassVar[str] = "diffsync-store"

    url: SecretStr = Field(description="redis://user:password@host:6379/0; rediss:// for TLS")
