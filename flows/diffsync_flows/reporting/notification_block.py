"""Send messages with a notification block of Prefect."""

from prefect.blocks.abstract import NotificationBlock, NotificationError
from prefect.blocks.core import Block
from pydantic import SecretStr

from diffsync_flows.prefect_api import translated_api_errors
from diffsync_store.notify import Message, NotSent, hidden_log
from diffsync_store.project import Secrets, UserError, secrets_in


class NotificationBlockChannel:
    """A notification block, which Prefect's server keeps. Threads may share it.

    Args:
        name: Type and name, such as `slack-webhook/team`.
        secrets: Get the secrets of the block, to redact them.
    """

    def __init__(self, name: str, secrets: Secrets) -> None:
        self._name = name
        self._secrets = secrets

    def send(self, message: Message) -> None:
        """Send a message once.

        Raises:
            UserError: There is no such block, it is of another kind, or Prefect does not answer.
            NotSent: The service did not accept the message.
        """
        block = self._load()
        with hidden_log() as reasons, block.raise_on_failure():
            try:
                block.notify(message.body, message.title, _sync=True)  # type: ignore[call-arg,unused-coroutine]
            except NotificationError:  # its text may have the address
                raise NotSent("; ".join(reasons) or "the service did not accept it") from None

    def _load(self) -> NotificationBlock:
        try:
            with translated_api_errors():
                block = Block.load(self._name, _sync=True)  # type: ignore[call-arg]  # also in a flow that is async
        except ValueError as error:
            raise UserError(f"cannot read the block {self._name!r}: {error}") from None
        if not isinstance(block, NotificationBlock):
            raise UserError(f"the block {self._name!r} cannot notify. Name one of a type such as slack-webhook")
        self._secrets.add_settings(block)
        for value in dict(block).values():
            if isinstance(value, SecretStr):
                self._secrets.add(list(secrets_in(value.get_secret_value())))
        return block
