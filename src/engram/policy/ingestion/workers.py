"""Workers that build partitions: this process, local processes, or a Dask cluster."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from engram.errors import EngramError
from engram.policy.ingestion.build import Built, build
from engram.policy.ingestion.partition import Partition, carried
from engram.policy.store import StoreError

if TYPE_CHECKING:
    from distributed import Client

_MOST = 1_000
_WATCH_S = 1.0
_PATIENCE_S = 5.0

Submit = Callable[..., Future[Built]]
"""Calls `build` with these arguments on a worker."""


@contextmanager
def worker_pool(workers: "int | str | Client | None") -> Iterator[tuple[Submit, int]]:
    """Return where partitions are built, and how many are in progress there."""
    if workers is None:
        workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if isinstance(workers, str) and ":" not in workers:
        raise EngramError(
            f"workers is {workers!r}; give a number, or an address as tcp://host:8786"
        )
    if not isinstance(workers, int):
        with _cluster(workers) as pool:
            yield pool
    elif workers == 1:
        yield _at_once, 1
    elif 1 < workers <= _MOST:
        with _processes(workers) as pool:
            yield pool
    else:
        raise EngramError(
            f"workers is {workers}; give 1 to {_MOST}, or the address of a Dask scheduler"
        )


def _at_once(*arguments: Any) -> Future[Built]:
    done: Future[Built] = Future()
    done.set_result(build(*arguments))
    return done


@contextmanager
def _processes(count: int) -> Iterator[tuple[Submit, int]]:
    from joblib.externals.loky import ProcessPoolExecutor  # noqa: PLC0415 - slow to import
    from joblib.externals.loky.process_executor import TerminatedWorkerError  # noqa: PLC0415

    pool = ProcessPoolExecutor(max_workers=count, initializer=_end_with, initargs=(os.getpid(),))
    width, finished = count + 2, False
    latest: deque[Future[Built]] = deque(maxlen=width)

    def submit(*arguments: Any) -> Future[Built]:
        latest.append(pool.submit(build, *arguments))
        return latest[-1]

    try:
        yield submit, width
        finished = True
    except TerminatedWorkerError as error:
        raise StoreError(
            "a worker process was killed, perhaps because memory ran out; run again to resume, "
            "with fewer workers or a smaller partition_size"
        ) from error
    finally:
        if not finished:
            _wait_until_handed_out(latest)
        pool.shutdown(wait=finished, kill_workers=not finished)


def _wait_until_handed_out(futures: Iterable[Future[Built]]) -> None:
    """Wait until the pool has distributed its work: loky cannot cancel queued work."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if all(future.running() or future.done() for future in futures):
            return
        time.sleep(0.01)


def _end_with(parent: int) -> None:
    """End this process soon after its parent, which may be killed without notice."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="end-with-parent").start()


@contextmanager
def _cluster(where: "str | Client") -> Iterator[tuple[Submit, int]]:
    try:
        from distributed import Client  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise EngramError(
            f"workers is {where!r}, which needs Dask: pip install 'engram[dask]', or give a number"
        ) from error
    try:
        client = Client(where) if isinstance(where, str) else where
    except (ValueError, OSError) as error:
        raise EngramError(
            f"workers is {where!r}, where no Dask scheduler answers ({error}); give its address, "
            "such as tcp://host:8786, or a number"
        ) from error

    def submit(partition: Partition, *arguments: Any) -> Future[Built]:
        sent = client.scatter(carried(partition), hash=False)
        return client.submit(build, sent, *arguments, pure=False)  # pyright: ignore[reportReturnType]

    try:
        yield submit, sum(dict(client.nthreads()).values()) + 2  # pyright: ignore
    finally:
        if isinstance(where, str):
            client.close()
