import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from PIL import Image

from engram.train.policy import (
    OPERATIONS,
    RAND_MAGNITUDE,
    SIGNED,
    apply_policy,
    draws_of,
    magnitudes,
)


def transforms() -> Any:
    """torchvision's transforms, without its compiled part, which fits one build of torch only."""
    alone = ModuleType("torchvision")
    spec = find_spec("torchvision")
    assert spec is not None
    alone.__path__ = list(spec.submodule_search_locations or [])
    with patch.dict(sys.modules, {"torchvision": alone}):
        return import_module("torchvision.transforms")


THEIRS = transforms()
NEAREST, autoaugment = THEIRS.InterpolationMode.NEAREST, THEIRS.autoaugment
RNG = np.random.default_rng(4)
PICTURE = RNG.integers(0, 256, (32, 24, 3), dtype=np.uint8)


def spaces(height: int, width: int) -> dict:
    """The published operations with their magnitudes and whether they have a sign."""
    rand, trivial = autoaugment.RandAugment(), autoaugment.TrivialAugmentWide()
    return {
        "randaugment": rand._augmentation_space(31, (height, width)),
        "trivialaugment": trivial._augmentation_space(31),
    }


@pytest.mark.parametrize("policy", ["randaugment", "trivialaugment"])
def test_the_operations_and_magnitudes_are_torchvisions(policy):
    theirs, ours = spaces(32, 24)[policy], magnitudes(policy, 32, 24)
    assert list(theirs) == list(ours) == list(OPERATIONS)
    for name, (values, signed) in theirs.items():
        scale = 255 if name == "Solarize" and float(values.max()) == 1.0 else 1
        expected = np.broadcast_to(values.numpy() * scale, 31)
        np.testing.assert_allclose(ours[name], expected, rtol=1e-6)
        assert signed == (name in SIGNED)


@pytest.mark.parametrize("policy", ["randaugment", "trivialaugment"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_torchvisions_at_every_magnitude(policy, name):
    picture = Image.fromarray(PICTURE)
    for magnitude in magnitudes(policy, 32, 24)[name]:
        for sign in (1, -1) if name in SIGNED else (1,):
            strength = sign * float(magnitude)
            theirs = autoaugment._apply_op(picture, name, strength, NEAREST, fill=None)
            ours = OPERATIONS[name](picture, strength)
            assert np.array_equal(np.asarray(ours), np.asarray(theirs)), strength


def test_randaugment_applies_two_operations_of_its_magnitude():
    table = magnitudes("randaugment", 32, 24)
    names = list(OPERATIONS)
    for first in range(14):
        second = (first + 5) % 14
        draws = np.array([(first + 0.5) / 14, 0.3, 0.7, (second + 0.5) / 14, 0.9, 0.2])
        expected = Image.fromarray(PICTURE)
        for name, negative in ((names[first], False), (names[second], True)):
            strength = table[name][RAND_MAGNITUDE] * (-1 if negative and name in SIGNED else 1)
            expected = autoaugment._apply_op(expected, name, float(strength), NEAREST, fill=None)
        assert np.array_equal(apply_policy("randaugment", PICTURE, draws), np.asarray(expected))


def test_trivialaugment_applies_one_operation_of_any_magnitude():
    assert draws_of("trivialaugment") == 3
    names = list(OPERATIONS)
    for number in range(0, 31, 6):
        draws = np.array([(names.index("Rotate") + 0.5) / 14, (number + 0.5) / 31, 0.2])
        degrees = -float(torch.linspace(0.0, 135.0, 31)[number])
        expected = Image.fromarray(PICTURE).rotate(degrees)
        assert np.array_equal(apply_policy("trivialaugment", PICTURE, draws), np.asarray(expected))


def test_a_grey_image_stays_one():
    grey = PICTURE[..., 0]
    for i in range(14):
        draws = np.array([(i + 0.5) / 14, 0.5, 0.5])
        assert apply_policy("trivialaugment", grey, draws).shape == grey.shape
