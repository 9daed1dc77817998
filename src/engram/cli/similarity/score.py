"""`engram similarity score`."""

from dataclasses import dataclass
from typing import Annotated

from rich.console import Console
from tyro.conf import arg

from engram.cli.study.run import RunForJson, runner
from engram.studies.similarity_score import SimilarityScore


@dataclass(frozen=True, kw_only=True)
class Score(RunForJson):
    """Score the layers of a model against recorded areas."""

    estimate: Annotated[bool, arg(help="Print what the run would take, and stop.")] = False

    def __call__(self) -> int:
        """Print what the run takes, run it, and print its report and the path of its page."""
        assert isinstance(self.study, SimilarityScore)
        needs = self.study.estimate()
        if needs:
            Console(stderr=not self.estimate).print(needs, highlight=False, soft_wrap=True)
        return 0 if self.estimate else super().__call__()


ScoreModel = runner(SimilarityScore, Score)
