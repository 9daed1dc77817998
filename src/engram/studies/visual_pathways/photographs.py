"""The recordings at hand: 92 photographs, mouse scenes and macaque V4, where a folder has them."""

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from engram.data.responses import Rdms, ResponseOptions, read_responses
from engram.errors import EngramError
from engram.similarity import Layer, Target, match_stimuli, targets_of
from engram.studies.similarity_score.models import Model, untrained
from engram.studies.similarity_score.stimuli import Stimuli, read_stimuli
from engram.studies.visual_pathways.contenders import (
    all_layers,
    compared,
    control,
    one_hot,
    picture_controls,
    stimuli_of,
)
from engram.vision import lite0_input, pretrained_lite0, spiking_twin
from engram.vision.twin import Scheme

SIZE, BATCH, LARGEST = 224, 8, 1 << 28
FIRST = "Lite0"
LAYERS = ("stem", *(f"layers.{k}" for k in range(16)), "last", "head")
FILES = {
    "92 photographs": ("neural/kriegeskorte2008.npz", "neural/algonauts2019-92/target_fmri.mat"),
    "mouse scenes": ("neural/allen-natural-scenes/allen_natural_scenes.npz",),
    "macaque V4": (
        "neural/cowley-v4/responses_raw_210325.npz",
        "neural/cowley-v4/images_210325.zip",
    ),
}
"""What each set of recordings needs, in the data folder."""
DISTRUSTED = ("layer6",)
"""Layers of the mouse's areas that are left out: their RDMs are not to be relied on."""


def paths(name: str) -> list[Path]:
    """The files of a set; empty if the folder named by ENGRAM_DATA lacks one."""
    folder = os.environ.get("ENGRAM_DATA")
    if not folder:
        return []
    found = [Path(folder) / one for one in FILES[name]]
    return found if all(path.exists() for path in found) else []


def pretrained_pair(
    steps: Sequence[int], scheme: Scheme, shown: Stimuli, seed: int
) -> dict[str, Model]:
    """Lite0, its spiking twins, and Lite0 with random weights.

    Args:
        steps: T of the twins.
        scheme: How they run.
        shown: Pictures whose first ones set the batch norms of the untrained network.
        seed: Seed of its weights.
    """
    network = pretrained_lite0()
    found = {FIRST: Model(network, lite0_input, LAYERS, ())}
    for count in steps:
        twin = spiking_twin(network, count, scheme)
        found[f"twin, T = {count}"] = Model(twin, lite0_input, LAYERS, ())
    first = shown.batch(range(min(16, len(shown.ids))))
    found["untrained"] = untrained(found[FIRST], first, seed)
    return found


def measured(
    name: str,
    steps: Sequence[int],
    scheme: Scheme,
    metrics: Sequence[str],
    seed: int,
    draws: int,
) -> dict[str, Any]:
    """Score the pretrained pair and the controls on a set of recordings.

    Args:
        name: A name of `FILES`.
        steps: T of the twins.
        scheme: How they run.
        metrics: What to measure; rsa only where there are no neurons.
        seed: Seed of the resamples and of random weights.
        draws: Number of resamples.

    Raises:
        ValueError: There are no such recordings.
    """
    held = paths(name)
    if not held:
        raise EngramError(f"there are no recordings {name!r} in the folder of ENGRAM_DATA")
    shown, targets, controls = READERS[name](held, seed)
    networks = pretrained_pair(steps, scheme, shown, seed)
    with TemporaryDirectory() as folder:
        layers = all_layers(networks, shown, Path(folder), BATCH, LARGEST)
        everything = [*layers, *picture_controls(shown), *controls]
        own = [one for one in metrics if one == "rsa" or targets[0].responses is not None]
        found = compared(everything, targets, own, FIRST, seed, draws)
    said = [
        {
            "area": one.name, "stimuli": len(one.rows), "subjects": len(one.subjects),
            "neurons": len(one.neuroids),
            "ceiling": None if one.ceiling is None else list(one.ceiling),
        }
        for one in targets
    ]  # fmt: skip
    return found | {"targets": said, "squared": squared_ceilings(name, targets)}


def squared_ceilings(name: str, targets: Sequence[Target]) -> dict[str, float]:
    """Upper ceilings in the unit of the Algonauts challenge, R², of the 15 subjects."""
    from engram.similarity import subject_ceiling  # noqa: PLC0415

    if name != "92 photographs":
        return {}
    return {
        one.name: subject_ceiling(one.rdms, squared=True).upper
        for one in targets
        if len(one.subjects) > 1
    }


def _photographs(held: Sequence[Path], seed: int) -> tuple[Stimuli, list[Target], list[Layer]]:
    """92 photographs: early visual cortex and IT of 15 people, and IT of monkeys."""
    with np.load(held[0], allow_pickle=False) as file:
        pixels, properties = file["images"], file["human_face_animal_natural"]
    rng = np.random.default_rng(seed)
    match = match_stimuli([str(k) for k in range(92)], (), 92, same_order=True)
    targets = targets_of(read_responses(held[1]), match, rng)
    monkey = read_responses(held[0], ResponseOptions(keys=("rdm_monkey_it",)))
    targets += targets_of(monkey, match, rng)
    outline = (np.abs(pixels.astype(int) - pixels[:, :1, :1]).max(3) > 3).reshape(92, -1)
    controls = [
        control("silhouette", outline.astype(np.float64)),
        control("animacy", one_hot(properties[:, 2])),
        control("category", one_hot(properties)),
    ]
    return stimuli_of(pixels, SIZE), targets, controls


def _mouse(held: Sequence[Path], seed: int) -> tuple[Stimuli, list[Target], list[Layer]]:
    """118 scenes of 31 pixels: the mean RDM over the layers of each of six areas of the mouse."""
    with np.load(held[0], allow_pickle=False) as file:
        corr, areas, layers = file["corr"], file["area"], file["layer"]
        pixels = file["scenes_31"]
    upper = np.triu_indices(corr.shape[1], 1)
    rdms = {}
    for area in dict.fromkeys(areas.tolist()):
        rows = (areas == area) & ~np.isin(layers, DISTRUSTED)
        if area == "VISrl":
            rows &= layers == "layer23"
        rdms[area] = (1 - corr[rows].astype(np.float64).mean(0))[upper][None]
    ids = [str(k) for k in range(corr.shape[1])]
    recording = Rdms(rdms, ids, {area: ["mean of layers"] for area in rdms})
    match = match_stimuli(ids, ids, len(ids))
    return stimuli_of(pixels, SIZE), targets_of(recording, match, np.random.default_rng(seed)), []


def _macaque(held: Sequence[Path], seed: int) -> tuple[Stimuli, list[Target], list[Layer]]:
    """50 units of macaque V4 and 640 pictures with single repeats."""
    options = ResponseOptions(axes=("neuroid", "stimulus", "repetition"), missing=255)
    recording = read_responses(held[0], options)
    shown = read_stimuli(str(held[1]), SIZE)
    match = match_stimuli(shown.ids, (), len(shown.ids), same_order=True)
    (found,) = targets_of(recording, match, np.random.default_rng(seed))
    return shown, [found._replace(name="V4")], []


READERS = {"92 photographs": _photographs, "mouse scenes": _mouse, "macaque V4": _macaque}
