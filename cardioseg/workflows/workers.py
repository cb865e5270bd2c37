"""Jobs in worker processes that end with their parent."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from cardioseg.core.errors import EXIT_INTERRUPTED, OutputError

Job = TypeVar("Job")
Result = TypeVar("Result")


def in_processes(
    function: Callable[[Job], Result], jobs: Sequence[Job], workers: int
) -> Iterator[Result]:
    """The result of every job, in the order in which they end.

    Args:
        function: importable by name.
        jobs: its arguments.
        workers: number of processes; 1 runs the jobs in this one.

    Raises:
        OutputError: a worker was killed.
    """
    if workers <= 1:
        yield from map(function, jobs)
        return
    try:
        yield from _pooled(function, jobs, workers)
    except BrokenProcessPool:
        raise OutputError(
            f"--workers {workers}",
            found="a worker process that was killed, perhaps because memory ran out",
            expected="workers that run to their end",
            cure="run the command again with --workers 1; what is finished is kept",
        ) from None


def _pooled(
    function: Callable[[Job], Result], jobs: Sequence[Job], workers: int
) -> Iterator[Result]:
    with ProcessPoolExecutor(workers, initializer=_begin) as pool:
        futures = [pool.submit(_done, function, job) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


class _Interrupts:
    """Ctrl-C in a worker: it ends the job at hand and later ones; between jobs it is silent."""

    in_job = False
    stopped = False

    @classmethod
    def receive(cls, *_: object) -> None:
        """The signal's handler."""
        cls.stopped = True
        if cls.in_job:
            raise KeyboardInterrupt


def _done(function: Callable[[Job], Result], job: Job) -> Result:
    """The result of a job; an interrupt ends it and reaches the parent as its error."""
    if _Interrupts.stopped:
        raise KeyboardInterrupt
    _Interrupts.in_job = True
    try:
        return function(job)
    finally:
        _Interrupts.in_job = False


def _begin() -> None:
    """Set up a worker, which ends with its parent."""
    signal.signal(signal.SIGINT, _Interrupts.receive)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(1)  # a forked child would wait forever for its parent's OpenMP threads


def _end_with_parent() -> None:
    """Without this, the workers of a killed parent wait for jobs forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(EXIT_INTERRUPTED)
