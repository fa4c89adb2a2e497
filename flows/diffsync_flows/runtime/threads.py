"""Run functions at the same time."""

from collections.abc import Callable, Sequence
from contextvars import copy_context
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def run_at_once(functions: Sequence[Callable[[], T]]) -> list[T]:
    """Run functions in threads and return their results, in order.

    A signal interrupts the wait, and the process can then end: the threads are daemons.

    Raises:
        Exception: What the first function raised. The other ones are abandoned.
    """
    ended: SimpleQueue[tuple[int, T | BaseException]] = SimpleQueue()

    def run(number: int) -> None:
        try:
            ended.put((number, functions[number]()))
        except BaseException as error:  # noqa: BLE001  # it is raised where the functions were started
            ended.put((number, error))

    for number in range(len(functions)):
        Thread(target=copy_context().run, args=(run, number), daemon=True).start()
    found: dict[int, T] = {}
    while len(found) < len(functions):
        number, result = ended.get()
        if isinstance(result, BaseException):
            raise result
        found[number] = result
    return [found[number] for number in range(len(functions))]
