"""The commands as one table: the words as typed, where the command is, and its summary.

Only the module of the command that was typed is imported; the table lists the others.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import NamedTuple

from engram import studies
from engram.errors import EngramError

STUDY = "study run"
"""The words before the name of a study."""


class Line(NamedTuple):
    """Where a command is, as "module:Class", and its summary."""

    target: str
    summary: str


COMMANDS: dict[str, Line] = {
    "study list": Line(
        "engram.cli.study.list:ListStudies", "List the studies and the questions they answer."
    ),
    "study run": Line("engram.cli.study.run:RunStudy", "Run a study."),
    "study show": Line(
        "engram.cli.study.show:ShowStudy", "Print a saved report and regenerate its page."
    ),
    "study compare": Line(
        "engram.cli.study.compare:CompareStudies",
        "Print two saved reports side by side: what differs in their settings and numbers.",
    ),
    "energy": Line(
        "engram.cli.energy:MeasureEnergy",
        "Count the operations of a model on images, and their energy.",
    ),
    "train": Line(
        "engram.cli.train:TrainModel",
        "Train a model on images or events; a run that was cut off continues.",
    ),
    "memristor energy": Line(
        "engram.cli.memristor.energy:CountEnergy",
        "Add up the energy of dense stochastic layers on crossbars, by layer and operation.",
    ),
    "memristor calibrate": Line(
        "engram.cli.memristor.calibrate:CalibrateDevice",
        "Fit models of a device to ramps of pulses, and choose one by ramps that were held out.",
    ),
    "critical measure": Line(
        "engram.cli.critical.measure:MeasureRecording",
        "Measure irregularity and criticality of a recording of spikes.",
    ),
    "similarity score": Line(
        "engram.cli.similarity.score:ScoreModel",
        "Score the layers of a model against recorded areas.",
    ),
    "retrieval index": Line(
        "engram.cli.retrieval.index:IndexPictures",
        "Index the pictures of a folder, so that words and pictures find them.",
    ),
    "retrieval search": Line(
        "engram.cli.retrieval.search:SearchPictures",
        "Find pictures by words, by pictures, or by sums of them.",
    ),
    "retrieval train": Line(
        "engram.cli.retrieval.train:TrainRetrieval",
        "Train a head on captions, which ranks instead of ConSE.",
    ),
    "retrieval duplicates": Line(
        "engram.cli.retrieval.duplicates:ListDuplicates",
        "List pictures that are the same or look nearly the same.",
    ),
    "retrieval export": Line(
        "engram.cli.retrieval.export:ExportVectors",
        "Write the vectors of an index to a NumPy file, and their pictures to a JSON file "
        "beside it.",
    ),
    "retrieval evaluate": Line(
        "engram.cli.retrieval.evaluate:EvaluateRetrieval",
        "Evaluate scores or embeddings of images and captions: recall at 1, 5 and 10.",
    ),
    "data list": Line(
        "engram.cli.data.list:ListData",
        "List the datasets and other files of the catalogue, with their licences.",
    ),
    "data fetch": Line(
        "engram.cli.data.fetch:FetchData",
        "Download a dataset into the cache, unless it is already there.",
    ),
    "data path": Line("engram.cli.data.path:LocateData", "Print where a dataset is."),
    "policy ingest": Line(
        "engram.cli.policy.ingest:Ingest",
        "Read files of the record into a store; files already in it are skipped.",
    ),
    "policy sources": Line(
        "engram.cli.policy.sources:ShowSources",
        "Show how every input file was handled: read, superseded, quarantined or unread.",
    ),
    "policy verify": Line(
        "engram.cli.policy.verify:Verify",
        "Compare every file of a store with its manifest; repair it from its sources.",
    ),
    "policy doubles": Line(
        "engram.cli.policy.doubles:ShowDoubles",
        "List duplicate documents of a store, and which copy is counted.",
    ),
    "policy coverage": Line(
        "engram.cli.policy.coverage:ShowCoverage",
        "Count documents by type and period, and list periods without documents.",
    ),
    "policy query": Line(
        "engram.cli.policy.query:Query",
        "Count a query over time or by a field; show its first and its most frequent documents.",
    ),
    "policy context": Line(
        "engram.cli.policy.context:ShowContext",
        "Show a query's occurrences in context, earliest first, with links.",
    ),
    "policy compare": Line(
        "engram.cli.policy.compare:Compare",
        "Compare queries side by side, with the ratio of each rate to that of the first.",
    ),
    "policy relate": Line(
        "engram.cli.policy.relate:Relate",
        "Relate yearly rates to indicators, and state what may and may not be concluded.",
    ),
    "policy export": Line(
        "engram.cli.policy.export:Export",
        "Write an answer to files: its rows as CSV or JSON, or their plot as PNG.",
    ),
    "policy solr push": Line(
        "engram.cli.policy.solr.push:PushToSolr",
        "Push a store to a Solr collection, and check the counts.",
    ),
    "completion": Line(
        "engram.cli.completion:Completion",
        "Print a completion script for a shell, with the flags of every study.",
    ),
}


def lines() -> dict[str, Line]:
    """The table, with a line per study."""
    runs = {
        f"{STUDY} {name}": Line(f"{entry.module}:{entry.attribute}", entry.summary)
        for name, entry in studies.STUDIES.items()
    }
    return COMMANDS | runs


def members(group: str = "") -> list[str]:
    """The commands and groups of a group.

    Args:
        group: Its words; empty for those of `engram` itself.
    """
    depth = len(group.split())
    inside = (words.split() for words in lines() if group == "" or words.startswith(f"{group} "))
    return list(dict.fromkeys(" ".join(words[: depth + 1]) for words in inside))


def summary(words: str) -> str:
    """The summary of a command, or of a group: the docstring of its folder."""
    known = lines()
    if words in known:
        return known[words].summary
    return import_module(".".join(("engram.cli", *words.split()))).__doc__ or ""


def typed(words: Sequence[str]) -> str:
    """The command or the group that was typed.

    Args:
        words: The words after `engram`.

    Raises:
        ValueError: If there is no such command.
    """
    at = ""
    for word in words:
        choices = {each.split()[-1]: each for each in members(at)}
        if not choices or word.startswith("-"):
            break
        if word not in choices:
            kind, list_ = ("study", "study list") if at == STUDY else ("command", f"{at} --help")
            near = get_close_matches(word, choices, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"see `engram {list_.strip()}`"
            raise EngramError(f"there is no {kind} {word!r}; {hint}")
        at = choices[word]
    return at


def load(words: str) -> type:
    """Import a command.

    Args:
        words: Its words.
    """
    if words.startswith(f"{STUDY} "):
        run = import_module("engram.cli.study.run")
        return run.runner(studies.load(words.removeprefix(f"{STUDY} ")))
    module, _, name = COMMANDS[words].target.partition(":")
    return getattr(import_module(module), name)
