"""Published recipes on CIFAR-10, trained by the engine for a given time or to their end.

    python -m benchmarks.recipes                        20 minutes for each recipe
    python -m benchmarks.recipes scifar-psn --minutes 5
    python -m benchmarks.recipes --full                 every epoch; for a GPU

A recipe keeps its published number of epochs, and with it the course of its learning rate, however
soon its time is over; then the weights of that moment are tested, once. A run that was cut off
continues when the command is given again. Writes docs/results/recipes-….json.
"""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks import harness
from engram.progress import bars
from engram.stats import wilson
from engram.studies.model_training import ModelTraining
from engram.train import Conduct, ImageAugment, Recipe, evaluate, train
from engram.train.loss import correct

COLUMNS = "engram.studies.sequence.columns:ColumnNetwork"
SEQUENCE = ModelTraining(
    model=COLUMNS,
    data="cifar10",
    neuron="psn",
    recipe=Recipe(
        epochs=256, batch=128, lr=0.1, optimizer="sgd", weight_decay=0.0, precision="auto"
    ),
    augment=ImageAugment(policy="trivialaugment", erase=0.1, mixup=0.2, cutmix=1.0),
)
ADAMW = Recipe(epochs=256, batch=128, lr=1e-3, weight_decay=0.01, precision="auto")
RECIPES = {
    "scifar-psn": SEQUENCE,
    "scifar-sliding": replace(SEQUENCE, neuron="sliding", recipe=ADAMW),
    "scifar-lif": replace(SEQUENCE, neuron="lif"),
    "spikingformer": ModelTraining(
        model="spikingformer_cifar_4_256",
        data="cifar10",
        recipe=Recipe(
            epochs=300, batch=64, lr=5e-4, weight_decay=0.06, warmup=20, precision="auto"
        ),
        augment=ImageAugment(policy="randaugment", erase=0.25, mixup=0.5),
    ),
}
PUBLISHED = {
    "scifar-psn": (88.45, "arXiv 2304.12760, best of 256 epochs on the test images"),
    "scifar-sliding": (86.70, "arXiv 2304.12760, best of 256 epochs on the test images"),
    "scifar-lif": (81.50, "arXiv 2304.12760, best of 256 epochs on the test images"),
    "spikingformer": (94.77, "arXiv 2304.11954, after 300 epochs"),
}
"""Test accuracy in % at the end of the recipe; no curve by epoch is published."""


def run(name: str, minutes: float | None, folder: Path) -> dict[str, Any]:
    """Train a recipe, from where it was cut off, and test it.

    Args:
        name: The recipe.
        minutes: Its time, over all calls; None trains to its end.
        folder: Folder of its checkpoints.
    """
    training = RECIPES[name]
    feeds = training.read()
    torch.manual_seed(training.recipe.seed)
    model = training.make(feeds)
    clock = folder / "seconds.json"
    spent = json.loads(clock.read_text()) if clock.exists() else 0.0
    limit = None if minutes is None else max(1.0, 60 * minutes - spent)
    start = time.monotonic()
    with bars() as progress:
        outcome = train(
            model, feeds.train, feeds.validation, training.recipe, folder,
            conduct=Conduct(time_limit_s=limit, save_s=120.0), progress=progress,
        )  # fmt: skip
    spent += time.monotonic() - start
    clock.write_text(json.dumps(spent))
    if outcome.reason.startswith("SIG"):
        raise SystemExit(f"{name} was stopped by {outcome.reason}; the same command continues it")
    outputs, labels = evaluate(model, feeds.test, batch=training.recipe.batch)
    hits = int(correct(outputs, labels).sum())
    interval = wilson(hits, len(labels))
    published, source = PUBLISHED[name]
    return {
        "name": name,
        "model": training.model,
        "neuron": training.neuron,
        "minutes": spent / 60,
        "threads": torch.get_num_threads(),
        "epochs": len(outcome.losses),
        "of_epochs": training.recipe.epochs,
        "ended": outcome.reason,
        "number_format": outcome.precision,
        "train_loss": outcome.losses,
        "validation_accuracy": [100 * share for share in outcome.accuracies],
        "test_images": len(labels),
        "test_accuracy": [100 * x for x in (interval.estimate, interval.low, interval.high)],
        "published": published,
        "published_source": source,
        "data_notes": list(feeds.source.notes),
    }


def main() -> None:
    """Run the recipes that were asked for, and write what was found after each."""
    parser = harness.arguments(__doc__)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help=", ".join(RECIPES))
    parser.add_argument("--minutes", type=float, default=20.0, help="time of each recipe")
    parser.add_argument("--full", action="store_true", help="train to the last epoch")
    parser.add_argument("--folder", type=Path, default=Path("runs") / "recipes")
    asked = parser.parse_args()
    names = asked.recipes or list(RECIPES)
    if unknown := sorted(set(names) - set(RECIPES)):
        parser.error(f"there is no recipe {unknown[0]!r}: choose from {', '.join(RECIPES)}")
    facts = harness.machine()
    path = asked.out or harness.RESULTS / harness.file_name("recipes", facts)
    runs = harness.read(path)["runs"] if path.exists() else []
    for name in names:
        found = run(name, None if asked.full else asked.minutes, asked.folder / name)
        runs = [old for old in runs if old["name"] != name] + [found]
        packages = harness.package_versions(("engram", "torch", "numba"))
        harness.write(path, harness.result(facts, packages, [], runs=runs))
        print(f"{name}: {found['test_accuracy'][0]:.1f} % after {found['epochs']} epochs")


if __name__ == "__main__":
    main()
