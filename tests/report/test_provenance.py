import platform
import subprocess
import sys

import numpy as np
import pytest

import engram
from engram.report.provenance import hardware, versions


def test_versions_are_those_the_modules_give() -> None:
    found = versions()
    assert found["engram"] == engram.__version__
    assert found["python"] == platform.python_version()
    assert found["numpy"] == np.__version__


def test_only_what_was_imported_is_named() -> None:
    script = (
        "import sys; from engram.report.provenance import hardware, versions;"
        "print('torch' in versions(), 'torch' in sys.modules, hardware()['accelerator'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False", "not", "used"]


def test_the_accelerator_is_the_one_torch_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "A GPU")
    assert hardware()["accelerator"] == "A GPU"


def test_every_fact_about_the_machine_is_text() -> None:
    assert all(isinstance(fact, str) and fact for fact in hardware().values())
