"""Many simulations at a time: over processes, or over a Dask cluster."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import joblib

from engram.errors import EngramError, MissingPackageError

Job = TypeVar("Job")
Result = TypeVar("Result")


def fan_out(
    work: Callable[[Job], Result], jobs: Sequence[Job], workers: int | str = 1
) -> list[Result]:
    """Do each job and return the results in the order of the jobs.

    A job seeds its own generator, so that results do not depend on the workers.

    Args:
        work: Does one job; a function that can be pickled.
        jobs: The jobs.
        workers: Number of processes, or the address of a Dask scheduler, such as tcp://host:8786.

    Raises:
        EngramError: If the number of workers is not positive, or dask is not installed.
    """
    if isinstance(workers, int):
        if workers < 1:
            raise EngramError(f"workers={workers}: give 1 or more")
        if workers == 1:
            return [work(job) for job in jobs]
        done: Any = joblib.Parallel(workers)(joblib.delayed(work)(job) for job in jobs)
        return done
    try:
        from distributed import Client  # noqa: PLC0415 an optional package
    except ImportError as error:
        raise MissingPackageError(
            f"workers={workers!r} needs dask: pip install 'engram[dask]'"
        ) from error
    with Client(workers) as client:
        gathered: Any = client.gather(client.map(work, jobs, pure=False))
        return gathered
