"""`engram policy export`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from rich.console import Console
from tyro.conf import Positional, UseAppendAction, arg

from engram.cli.output import print_json, print_line
from engram.cli.policy.asking import Counting, check_width, check_writable, name_queries
from engram.cli.policy.reading import print_reading, read_notes
from engram.cli.words import Several
from engram.errors import EngramError
from engram.policy.engine import Context, Engine
from engram.policy.measure import check_suffix, coverage, frequency, write
from engram.policy.measure.export import SUFFIXES, Answer
from engram.policy.query import Query

File = Annotated[Path, arg(metavar="FILE")]


def _is_file(word: str) -> bool:
    return Path(word).suffix.lower() in SUFFIXES


@dataclass(frozen=True)
class Export(Counting):
    """Write an answer to files: its rows as CSV or JSON, or their plot as PNG.

    Args:
        queries: One or more queries; exactly one for a context or coverage.
        out: Files to write, each ending in .csv, .json or .png; give the option once per file, or
            separate them by commas; default: frequency.csv, coverage.csv or context.csv.
        what: Which answer.
        limit: For a context, the maximum number of passages; all by default.
        width: For a context, characters to the left and to the right of each match.
        force: Replace files that already exist.
    """

    queries: Positional[tuple[str, ...]]
    out: Annotated[tuple[File, ...], UseAppendAction, Several(_is_file)] = ()
    what: Literal["frequency", "coverage", "context"] = "frequency"
    limit: int | None = None
    width: int = 80
    force: bool = False

    def __call__(self) -> int:
        """Write the files and print their paths."""
        named = name_queries(self.queries, self.names)
        check_width(self.width)
        if self.limit is not None and self.limit < 0:
            raise EngramError(f"limit is {self.limit}; give 0 passages or more")
        if self.what != "frequency" and len(named) > 1:
            raise EngramError(f"{len(named)} queries for one {self.what}; give one query")
        paths = self.out or (Path(f"{self.what}.csv"),)
        self.check(paths)
        with self.opened() as engine:
            match self.what:
                case "frequency":
                    answer = frequency(
                        engine, named, self.grouping, self.measure, self.interval, seed=self.seed
                    )
                case "coverage":
                    answer = coverage(engine, *named.values(), by=self.by)
                case "context":
                    answer = self.passages(engine, *named.values())
            notes = read_notes(named.values(), engine)
        # plots come last: if one fails, the rows are on disk
        for path in sorted(paths, key=lambda path: path.suffix.lower() == ".png"):
            write(answer, path, self.corpus())
        left_out = self.left_out(answer)
        if self.json:
            more = {"left_out": left_out} if left_out else {}
            more |= {"notes": notes} if notes else {}
            print_json({"written": [str(path) for path in paths]} | more)
            return 0
        print_reading(notes, {})
        for path in paths:
            print_line(path)
        if left_out:
            Console(stderr=True).print(left_out, highlight=False)
        return 0

    def check(self, paths: Sequence[Path]) -> None:
        """Refuse files that cannot or should not be written, before anything is counted."""
        for path in paths:
            check_suffix(path, drawn=self.what != "context")
            check_writable(path.parent)
            if path.is_dir():
                raise EngramError(f"{path} is a folder; name a file in it")
            if path.exists() and not self.force:
                raise EngramError(f"{path} already exists; use --force to replace it")

    def passages(self, engine: Engine, query: Query) -> Context:
        """The requested passages; all if no limit is given."""
        limit = sys.maxsize if self.limit is None else self.limit
        return engine.context(query, limit, width=self.width)

    def left_out(self, answer: Answer) -> str:
        """Note on what a limit left out."""
        if not isinstance(answer, Context) or len(answer.passages) == answer.total:
            return ""
        return (
            f"{len(answer.passages)} of {answer.total} passages written, the earliest; leave out "
            "--limit to write all"
        )

    def corpus(self) -> str:
        """The origin of the counts, for the title of a plot."""
        return f"Solr, {self.solr_url}" if self.engine == "solr" else f"store {self.store}"
