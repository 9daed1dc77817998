"""Binary stochastic learning, as memristor crossbars can do it."""

from engram.memristor.chain import Chain, fused
from engram.memristor.convert import Converted, Programming, Written, convert, convert_back
from engram.memristor.functional import carry, carry_digits, comparator, value_of_digits
from engram.memristor.layer import (
    BinaryStochasticConv2d,
    BinaryStochasticLinear,
    StochasticBits,
    drawing,
)
from engram.memristor.learning import StepUpdate, learn, squared_error
from engram.memristor.vote import Votes, frozen, mean_field, vote, vote_until

__all__ = [
    "BinaryStochasticConv2d",
    "BinaryStochasticLinear",
    "Chain",
    "Converted",
    "Programming",
    "StepUpdate",
    "StochasticBits",
    "Votes",
    "Written",
    "carry",
    "carry_digits",
    "comparator",
    "convert",
    "convert_back",
    "drawing",
    "frozen",
    "fused",
    "learn",
    "mean_field",
    "squared_error",
    "value_of_digits",
    "vote",
    "vote_until",
]
