"""Checkpoints that all processes of a training write and read together."""

from typing import Any

from torch import nn
from torch.distributed.tensor import DTensor

from engram.errors import EngramError
from engram.train.checkpoint import PIECES, Checkpoints, Found, facts, scratch_of
from engram.train.distributed import Processes
from engram.train.pieces import files_of, joined, read_pieces, split, write_pieces


def write_state(
    checkpoints: Checkpoints, step: int, state: dict[str, Any], together: Processes
) -> None:
    """Save a state: the first process writes it, and each process its share of divided tensors.

    Args:
        checkpoints: Where it is saved, in a folder that all processes see.
        step: Its step.
        state: The state of the training, equal in all processes apart from divided tensors.
        together: The processes, all of which must call this.

    Raises:
        ValueError: In every process, if one of them could not write.
    """
    rest, pieces = split(state)
    if not pieces:
        together.only_first(lambda: checkpoints.save(step, rest))
        return
    if not together.from_first(lambda: checkpoints.begin(step)):
        return
    folder = scratch_of(checkpoints.folder, step) / PIECES
    written, problem = {}, ""
    try:
        with together.waiting("the pieces of a checkpoint"):
            write_pieces(folder, pieces)
        written = {file.name: facts(file) for file in files_of(folder, together.rank)}
    except OSError as error:
        problem = str(error)
    problems = [text for text in together.gather(problem) if text]
    everything = {name: fact for part in together.gather(written) for name, fact in part.items()}

    def finish() -> None:
        unseen = [name for name in everything if not (folder / name).is_file()]
        if unseen:
            problems.append(f"{', '.join(unseen)}: all processes need to see one folder")
        if problems:
            checkpoints.fail(step, OSError(problems[0]))
        checkpoints.save(step, rest, everything)

    together.only_first(finish)


def read_state(found: Found, model: nn.Module, together: Processes) -> dict[str, Any]:
    """Read what is left of a checkpoint: this process's share of its pieces.

    Args:
        found: The checkpoint.
        model: The model, whose weights may be divided among the processes.
        together: The processes, all of which must call this.

    Raises:
        ValueError: In every process, if one of them cannot read it.
    """
    if found.pieces is None:
        return found.state
    meshes = [weight.device_mesh for weight in model.parameters() if isinstance(weight, DTensor)]
    problem, pieces = "", {}
    try:
        pieces = read_pieces(found.pieces, meshes[0] if meshes else None)
    except EngramError as error:
        problem = str(error)
    if problems := [text for text in together.gather(problem) if text]:
        raise EngramError(problems[0])
    return joined(found.state, pieces)
