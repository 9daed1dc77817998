"""Models whose weights are divided among the processes, by FSDP2."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

from engram.errors import EngramError
from engram.train.distributed import Processes


def shard(model: nn.Module, together: Processes) -> None:
    """Divide the weights of a model among the processes, in place.

    Each process holds its share of the weights, the gradients and the state of the optimizer. The
    weights of the whole model are gathered for each pass, because some models call the parts of a
    block and not the block itself.

    Args:
        model: The model, on its device, before its optimizer is made.
        together: The processes; a single one keeps the model as it is.

    Raises:
        ValueError: If a parameter is a scalar, which cannot be divided.
    """
    if scalars := [name for name, weight in model.named_parameters() if not weight.ndim]:
        raise EngramError(
            f"sharded: the scalar parameters {', '.join(scalars)} cannot be divided among "
            "processes; leave out sharded, which trains with whole copies of the weights"
        )
    if together.size == 1:
        return
    for weight in model.parameters():
        weight.data = weight.data.contiguous()  # FSDP2 takes no other layout, such as channels last
    mesh = init_device_mesh(next(model.parameters()).device.type, (together.size,))
    fully_shard(model, mesh=mesh)


def whole(value: Any) -> Any:
    """A tensor in one piece, which all processes must ask for; anything else as it is."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def like(value: Any, template: Any) -> Any:
    """A whole tensor, divided among the processes as another one is; anything else as it is."""
    if not isinstance(template, DTensor) or isinstance(value, DTensor):
        return value
    value = value.to(template.device)
    return distribute_tensor(value, template.device_mesh, template.placements)


def laid_out(state: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, Any]:
    """A state of whole tensors, divided as those of the same name in another state are."""
    return {
        name: like(value, template[name])
        if name in template and isinstance(value, Tensor)
        else value
        for name, value in state.items()
    }


def load_optimizer(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Restore the state of an optimizer from whole tensors."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    found = {
        number: {
            name: like(value, weights[number])
            if isinstance(value, Tensor) and value.shape == weights[number].shape
            else value
            for name, value in values.items()
        }
        for number, values in state["state"].items()
    }
    optimizer.load_state_dict({**state, "state": found})
