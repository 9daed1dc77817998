"""The outputs of a model for every example, once."""

import torch
from torch import Tensor, nn

from engram.device import evaluating
from engram.train.distributed import ALONE, Processes
from engram.train.feed import Feed, Job, read


def evaluate(
    model: nn.Module, feed: Feed, *, batch: int, workers: int = 0, together: Processes = ALONE
) -> tuple[Tensor, Tensor]:
    """Return the outputs of a model for each example once, in order, and the labels.

    Args:
        model: The model; it runs in evaluation mode.
        feed: The examples.
        batch: Examples per call.
        workers: Processes that read ahead; 0 reads in this one.
        together: The processes that share the work.
    """
    batches = torch.arange(len(feed)).split(batch)
    mine = list(batches[together.rank :: together.size])
    # a sharded model is computed by all processes at once: those without a batch repeat the first
    mine += [batches[0]] * (-(-len(batches) // together.size) - len(mine))
    jobs = [Job(rows, slice(None), 0) for rows in mine]
    with evaluating(model) as device:
        own = [
            (model(inputs.to(device)).float().cpu(), labels)
            for inputs, labels in read(feed, jobs, workers)
        ]
    parts = together.gather(own)
    whole = [parts[i % together.size][i // together.size] for i in range(len(batches))]
    axis = whole[0][0].ndim - 2  # outputs by step have time before the batch
    return torch.cat([y for y, _ in whole], axis), torch.cat([label for _, label in whole])
