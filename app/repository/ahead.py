"""Working on several things at once, with the results in the order of the things."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from app.repository.pipeline import worker_count
from app.repository.records import RecordDecoder

T = TypeVar("T")
R = TypeVar("R")


def decode_ahead(
    make_decoder: Callable[[], RecordDecoder],
    work: Callable[[T, RecordDecoder], R],
    things: Iterable[T],
    name: str,
) -> Generator[R, None, None]:
    """Yield what comes of each thing, in order, with as many threads as a pipeline has and a decoder for each.

    Args:
        make_decoder: is called once on each thread.
        work: is called once for each thing.
        things: are taken as they are begun, by the caller's thread.
        name: of the threads.

    Raises:
        Exception: what the work on a thing raised, in its turn. Nothing else is begun then.
    """
    own, workers = threading.local(), worker_count()

    def begin() -> None:
        own.decoder = make_decoder()

    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix=name, initializer=begin) as pool:
        yield from run_ahead(pool, lambda thing: work(thing, own.decoder), things, 2 * workers)


def run_ahead(
    pool: ThreadPoolExecutor, work: Callable[[T], R], things: Iterable[T], most: int
) -> Generator[R, None, None]:
    """Yield what comes of each thing, in order, while others are worked on; a slow one holds up no thread.

    Args:
        pool: whose threads do it.
        work: is called once for each thing.
        things: are taken as they are begun, by the caller's thread.
        most: so many are begun and not yet handed out; more than the pool has threads.

    Raises:
        Exception: what the work on a thing raised, in its turn. Nothing else is begun then.
    """
    waiting = iter(things)
    running: deque[Future[R]] = deque()
    try:
        while True:
            running.extend(pool.submit(work, thing) for thing in islice(waiting, most - len(running)))
            if not running:
                return
            yield running.popleft().result()
    finally:
        for future in running:
            future.cancel()
