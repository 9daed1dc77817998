"""Start modules in processes of their own, as torchrun does."""

import faulthandler
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Sequence
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

CONTEXT: Any = multiprocessing.get_context("forkserver")
"""Processes are copies of one that has imported torch, which takes longer than most trainings."""
CONTEXT.set_forkserver_preload(["tests.train.warm"])


class Started:
    """A process under way, and what it says on its output and error streams.

    Args:
        module: The module, whose `main` is called.
        arguments: Its arguments.
        environment: Variables of its environment.
    """

    def __init__(self, module: str, arguments: Sequence[str], environment: dict[str, str]) -> None:
        receiver, sender = CONTEXT.Pipe(duplex=False)
        self.process = CONTEXT.Process(
            target=_main, args=(module, list(arguments), environment, sender)
        )
        self.process.start()
        sender.close()
        self.said = os.fdopen(os.dup(receiver.fileno()))
        receiver.close()

    @property
    def returncode(self) -> int | None:
        """Its exit code; negative after a signal, None while it runs."""
        return self.process.exitcode

    def wait_for(self, *beginnings: str) -> str | None:
        """The next line that begins so; None if it ends before."""
        return next((line for line in self.said if line.startswith(beginnings)), None)

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process.pid, number)

    def communicate(self, timeout: float = 300) -> str:
        """Wait for its end; everything that it said since the last line that was read."""
        text = self.said.read()
        self.process.join(timeout)
        assert self.returncode is not None, text
        self.said.close()
        return text

    def kill(self) -> None:
        """End it by SIGKILL; its workers may hold its streams open for some seconds more."""
        self.process.kill()
        self.process.join()
        self.said.close()


def shared(size: int) -> dict[str, str]:
    """What the environments of the processes have in common, with a port that is free."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size)}


def start(module: str, arguments: Sequence[str], size: int = 1) -> list[Started]:
    """Start a module in each of the processes; alone it gets no variables of torchrun."""
    common = shared(size)
    return [
        Started(
            module,
            arguments,
            common | {"RANK": str(i), "LOCAL_RANK": str(i)} if size > 1 else {},
        )
        for i in range(size)
    ]


def _main(
    module: str, arguments: list[str], environment: dict[str, str], sender: Connection
) -> None:
    """Call the `main` of a module, with its streams sent to the process that started it."""
    os.dup2(sender.fileno(), 1)
    os.dup2(sender.fileno(), 2)
    sender.close()
    for number, name in ((1, "stdout"), (2, "stderr")):
        setattr(sys, name, os.fdopen(number, "w", buffering=1, closefd=False))
    faulthandler.enable()
    os.environ.update(environment, OMP_NUM_THREADS="1")
    sys.argv = [module, *arguments]
    sys.exit(import_module(module).main())
