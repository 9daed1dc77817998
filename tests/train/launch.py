"""Start modules in processes of their own, as torchrun does."""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence


def environments(size: int) -> list[dict[str, str]]:
    """The environment of each process; that of this one if there is only one."""
    ours = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
    if size == 1:
        return [ours]
    common = ours | shared(size)
    return [common | {"RANK": str(i), "LOCAL_RANK": str(i)} for i in range(size)]


def shared(size: int) -> dict[str, str]:
    """What the environments of the processes have in common, with a port that is free."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size)}


def start(module: str, arguments: Sequence[str], size: int = 1) -> list[subprocess.Popen[str]]:
    """Start a module in each of the processes; their output and errors are read by line."""
    return [
        subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for environment in environments(size)
    ]
