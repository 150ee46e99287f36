"""Memory that ran out: told apart from other errors, given back, and made do with by taking less at once."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import TypeVar

Result = TypeVar("Result")
WORDS = (
    "out of memory",
    "can't allocate memory",
    "Cannot allocate memory",
    "ALLOC_FAILED",
)


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or any error it came from, says that memory ran out, on whatever device."""
    for link in chain(error):
        if isinstance(link, MemoryError) or type(link).__name__ == "OutOfMemoryError":
            return True
        if isinstance(link, OSError) and link.errno == errno.ENOMEM:
            return True
        if isinstance(link, RuntimeError) and any(words in str(link) for words in WORDS):
            return True
    return False


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and all those it came from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def within_memory(work: Callable[[int], Result], size: int) -> tuple[Result, int]:
    """What `work(size)` gives, and the size that fitted: halved as often as memory runs out.

    Raises what `work` raises, also when memory runs out with a size of 1.
    """
    while (found := _tried(work, size)) is None:
        size //= 2
        let_go_of_memory()
    return found[0], size


def _tried(work: Callable[[int], Result], size: int) -> tuple[Result] | None:
    """None when memory ran out and there is less to try; the error, whose frames hold what was read, is gone then."""
    try:
        return (work(size),)
    except Exception as error:
        if size > 1 and is_out_of_memory(error):
            return None
        raise


def let_go_of_memory() -> None:
    """Give back what an attempt that failed has held; call it when nothing refers to what it made any more."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
