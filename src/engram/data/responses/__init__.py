"""Responses of recorded neurons to stimuli, and sets of RDMs, from the formats that hold them."""

from engram.data.responses.model import Rdms, ResponseOptions, Responses
from engram.data.responses.read import read_responses

__all__ = ["Rdms", "ResponseOptions", "Responses", "read_responses"]
