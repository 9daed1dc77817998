"""What settings and shapes alone make impossible is refused before the first piece of work."""

import pytest
import torch

from engram.journal import Journal
from engram.studies.model_energy import ModelEnergy
from engram.studies.parallel_neurons import ParallelNeurons
from engram.studies.sequence import SequenceMemory
from engram.studies.spike_driven_residuals import SpikeDrivenResiduals
from engram.study import execute


@pytest.fixture
def no_work(monkeypatch):
    def once(self, key, compute):
        raise AssertionError(f"{key} began")

    monkeypatch.setattr(Journal, "once", once)


REFUSED = [
    (ParallelNeurons, {"k": 999}, r"masked PSN .*k=999"),
    (ParallelNeurons, {"k": 9, "neurons": ("lif", "sliding", "masked")}, r"masked PSN .*k=9"),
    (ParallelNeurons, {"batch": 0}, "batch is 0"),
    (ParallelNeurons, {"lr": -1.0}, "lr=-1.0"),
    (ParallelNeurons, {"lr": float("nan")}, "lr=nan"),
    (ParallelNeurons, {"validation": 1.0}, "fraction is 1.0"),
    (ParallelNeurons, {"device": "nowhere"}, "device='nowhere'"),
    (ParallelNeurons, {"data": "n-mnist"}, "reads images"),
    (SpikeDrivenResiduals, {"size": 6, "networks": ("ann", "spikingformer")}, "6 × 6"),
    (SpikeDrivenResiduals, {"batch": 0}, "batch is 0"),
    (SpikeDrivenResiduals, {"lr": 0.0}, "lr=0.0"),
    (SpikeDrivenResiduals, {"device": "cuda:99"}, "device='cuda:99'"),
    (ModelEnergy, {"model": "spikingformer_cifar_9"}, "no preset"),
    (ModelEnergy, {"model": "resnet18", "checkpoint": "nowhere.pth"}, "nowhere.pth is not a file"),
    (ModelEnergy, {"model": "resnet18", "dram_pj": -1.0}, "dram_pj is -1.0"),
    (ModelEnergy, {"model": "resnet18", "device": "nowhere"}, "device='nowhere'"),
    (SequenceMemory, {"device": "nowhere"}, "device='nowhere'"),
]


@pytest.mark.parametrize(("study", "settings", "message"), REFUSED)
def test_what_cannot_fit_is_refused_before_any_work(study, settings, message, no_work, tmp_path):
    if "checkpoint" in settings:
        settings = settings | {"checkpoint": tmp_path / settings["checkpoint"]}
    with pytest.raises(ValueError, match=message):
        execute(study(**settings), tmp_path / "run")


def test_a_refused_run_leaves_its_folder_free_for_the_corrected_one(tmp_path):
    quick = {"neurons": ("masked",), "epochs": 1, "seeds": 1, "steps_timed": (), "limit": 60}
    with pytest.raises(ValueError, match="k=999"):
        execute(ParallelNeurons(k=999, **quick), tmp_path)
    assert execute(ParallelNeurons(k=4, **quick), tmp_path).provenance.status == "complete"


def test_the_trial_leaves_the_random_numbers_of_the_run_alone(tmp_path):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    quick = {"neurons": ("lif",), "epochs": 1, "seeds": 1, "steps_timed": (), "limit": 60}
    execute(ParallelNeurons(**quick), tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
