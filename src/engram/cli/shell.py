"""The command line: a shell around short calls of Python.

Every field of a study's settings is a flag of `engram study run NAME`. Only that study's module
is imported, so that the other commands need no deep-learning framework.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, make_dataclass
from difflib import get_close_matches
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from tyro.conf import (
    FlagCreatePairsOff,
    OmitArgPrefixes,
    OmitSubcommandPrefixes,
    Positional,
    Suppress,
    UseAppendAction,
    arg,
    subcommand,
)

from engram import __version__, studies
from engram.cli import policy
from engram.cli.output import print_path, print_rows
from engram.errors import EngramError
from engram.progress import bars
from engram.report import Report, load_report, print_bars, print_report, save_page
from engram.studies.model_energy import ModelEnergy
from engram.study import Study, execute, run_folder

DESCRIPTION = "The toolkit for brain-inspired computing. `engram --version` prints the version."
GROUPS = ((), ("study",), ("study", "run"), ("data",), ("policy",), ("policy", "solr"))
"""Commands that only have subcommands; on their own they print their help."""

Command = Callable[[], int]
"""A parsed command: it runs when called and returns the exit code."""


@dataclass(frozen=True)
class ListStudies:
    """List the studies and the questions they answer."""

    def __call__(self) -> int:
        """Print one line per study."""
        print_rows((name, entry.summary) for name, entry in studies.STUDIES.items())
        return 0


@dataclass(frozen=True)
class RunStudy:
    """Run a study; `settings`, a field generated for each study, holds the values of its flags."""

    out: Annotated[
        Path | None,
        arg(
            metavar="DIR",
            help="Folder for the journal and the report.",
            help_behavior_hint="(default: runs/NAME-DIGEST)",
        ),
    ] = None
    fresh: Annotated[bool, arg(help="Discard the results of an earlier run in the folder.")] = False

    def __call__(self) -> int:
        """Run the study, print the report, and the path of its page last."""
        study: Study = getattr(self, "settings")  # noqa: B009  each study makes its own field
        folder = self.out or run_folder(study)
        report = execute(study, folder, fresh=self.fresh)
        print_report(report, Console())
        self.draw(report)
        print_path(folder / "report.html")
        return 0

    def draw(self, report: Report) -> None:
        """Draw nothing: the page has the figures."""


@dataclass(frozen=True)
class MeasureEnergy(RunStudy):
    """Measures a model like a study, and also draws its bars in the terminal."""

    def draw(self, report: Report) -> None:
        """Print the bars of each figure."""
        for figure in report.figures:
            print_bars(figure, report.drawn_by(figure), Console())


@dataclass(frozen=True)
class ChooseStudy:
    """Placeholder for a study that is not imported: it lists the study, and has no flags."""

    def __call__(self) -> int:
        """Never called: naming a study imports it."""
        raise AssertionError


@dataclass(frozen=True)
class ShowStudy:
    """Print a saved report and regenerate its page.

    Args:
        run: Folder of a run, or its report.json.
    """

    run: Positional[Path]

    def __call__(self) -> int:
        """Print the report, and the path of its page last."""
        report = load_report(self.run)
        print_report(report, Console())
        print_path(save_page(report, self.run if self.run.is_dir() else self.run.parent))
        return 0


@dataclass(frozen=True)
class ListData:
    """List the datasets and other files of the catalogue, with their licences."""

    def __call__(self) -> int:
        """Print one line per dataset."""
        from engram import data  # noqa: PLC0415  not needed by the other commands

        print_rows(
            (name, entry.description, entry.licence)
            for name, entry in (*data.CATALOGUE.items(), *data.SOURCES.items())
        )
        return 0


@dataclass(frozen=True)
class FetchData:
    """Download a dataset into the cache, unless it is already there.

    Args:
        name: Name of the dataset.
    """

    name: Positional[str]

    def __call__(self) -> int:
        """Fetch the dataset and print where it is."""
        from engram import data  # noqa: PLC0415  not needed by the other commands

        with bars() as progress:
            path = data.fetch(self.name, progress=progress)
        print_path(path)
        return 0


@dataclass(frozen=True)
class LocateData:
    """Print where a dataset is.

    Args:
        name: Name of the dataset.
    """

    name: Positional[str]

    def __call__(self) -> int:
        """Print the path."""
        from engram import data  # noqa: PLC0415  not needed by the other commands

        print_path(data.path(self.name))
        return 0


@dataclass(frozen=True)
class Completion:
    """Print a completion script for a shell, with the flags of every study.

    Args:
        shell: The shell that will read the script.
    """

    shell: Positional[Literal["bash", "zsh", "tcsh"]]

    def __call__(self) -> int:
        """Import every study and print the script."""
        loaded = {name: studies.load(name) for name in studies.STUDIES}
        # The parser prints the script, and exits before there is a command to run.
        return _parse(["--tyro-write-completion", self.shell, "-"], loaded)()


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: Words after `engram`; None uses those of the process.

    Returns:
        The exit code: 0, 2 after a user error, 130 after an interrupt.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words == ["--version"]:
        Console().print(f"engram {__version__}", highlight=False)
        return 0
    if tuple(words) in GROUPS:
        words.append("--help")
    try:
        return _parse(words, _named(words))()
    except KeyboardInterrupt:
        return 130
    except (ValueError, OSError) as error:
        Console(stderr=True).print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        return 2


def _named(words: Sequence[str]) -> dict[str, type[Study]]:
    """Import the study that `study run NAME` names."""
    if tuple(words[:2]) != ("study", "run") or len(words) < 3 or words[2].startswith("-"):
        return {}
    name = words[2]
    if name not in studies.STUDIES:
        near = get_close_matches(name, studies.STUDIES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "see `engram study list`"
        raise EngramError(f"there is no study {name!r}; {hint}")
    return {name: studies.load(name)}


def _parse(words: Sequence[str], loaded: Mapping[str, type[Study]]) -> Command:
    parsed = tyro.cli(
        _commands(loaded),
        prog="engram",
        description=DESCRIPTION,
        args=policy.repeat_options(words),
        config=(OmitArgPrefixes, OmitSubcommandPrefixes, FlagCreatePairsOff),
    )
    while hasattr(parsed, "command"):
        parsed = parsed.command
    return parsed


def _commands(loaded: Mapping[str, type[Study]]) -> Any:
    """The tree of commands, with the flags of the loaded studies."""
    runs = [
        _leaf(name, _runner(loaded[name]) if name in loaded else ChooseStudy, entry.summary)
        for name, entry in studies.STUDIES.items()
    ]
    study = (_leaf("list", ListStudies), _group("run", "Run a study.", runs))
    datasets = (_leaf("list", ListData), _leaf("fetch", FetchData), _leaf("path", LocateData))
    solr = [_leaf(name, command) for name, command in policy.SOLR_COMMANDS.items()]
    record = [_leaf(name, UseAppendAction[command]) for name, command in policy.COMMANDS.items()]
    record.append(_group("solr", "The record in Apache Solr.", solr))
    return _union(
        _group(
            "study",
            "Studies: questions with settings, answered by a report.",
            (*study, _leaf("show", ShowStudy)),
        ),
        _leaf(
            "energy",
            _runner(ModelEnergy, MeasureEnergy),
            "Count the operations of a model on images, and their energy.",
        ),
        _group("data", "The catalogue of datasets.", datasets),
        _group("policy", "A nation's record: ingest, query, relate to indicators.", record),
        _leaf("completion", Completion),
    )


def _runner(study: type[Study], command: type[RunStudy] = RunStudy) -> type[RunStudy]:
    settings = ("settings", Annotated[study, arg(name="")], field(kw_only=True))
    return make_dataclass(command.__name__, [settings], bases=(command,), frozen=True)


def _leaf(name: str, command: type, description: str | None = None) -> Any:
    return Annotated[command, subcommand(name, description=description)]


def _group(name: str, description: str, members: Sequence[Any]) -> Any:
    holder = make_dataclass(name, [("command", _union(*members))], frozen=True)
    return Annotated[holder, subcommand(name, description=description)]


def _union(*members: Any) -> Any:
    """Alternative subcommands; the hidden None keeps a single one a subcommand."""
    return reduce(or_, members, Annotated[None, Suppress])
