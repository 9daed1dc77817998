"""Runs tests as an older processor would, with the allocator's checks on.

    python -m tests.processors              the vision and kernel tests, on each instruction set
    python -m tests.processors avx2 -- tests/vision/test_norm.py -k torch
    python -m tests.processors valgrind     the kernels, each access checked by Valgrind

The environment keeps torch, oneDNN, MKL and Numba from newer instructions, and lets glibc check
every block of memory that is freed, and fill it. Each run is a process of its own.
"""

import ctypes.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
SSE = "+sse,+sse2,+cx8,+fxsr,+mmx,+64bit"
AVX = f"{SSE},+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16,+sahf,+xsave,+avx"
AVX2 = f"{AVX},+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+movbe"

# what oneDNN, ATen, MKL and Numba may use
INSTRUCTION_SETS = {
    "avx2": ("AVX2", "avx2", "AVX2", "haswell", AVX2),
    "avx": ("AVX", "default", "AVX", "sandybridge", AVX),
    "sse41": ("SSE41", "default", "SSE4_2", "x86-64", SSE),
}
VARIABLES = (
    "ONEDNN_MAX_CPU_ISA",
    "ATEN_CPU_CAPABILITY",
    "MKL_ENABLE_INSTRUCTIONS",
    "NUMBA_CPU_NAME",
    "NUMBA_CPU_FEATURES",
)
CHECKED = ("tests/vision", "tests/kernel", "tests/neuron/kernel", "tests/neuron/test_contract.py")
"""What `make test-isa` runs: whatever convolves, and whatever runs a kernel."""
GUARDED = ("-m", "tests.neuron.kernel.test_guard")
"""Runs every CPU kernel forward and backward; takes a side and dtypes."""
VALGRIND = (
    "valgrind",
    "--undef-value-errors=no",  # Python and LLVM copy padding, which is not initialised
    f"--suppressions={ROOT / 'tests' / 'valgrind.supp'}",
    "--error-exitcode=9",
    "--quiet",
)


def narrowed(instruction_set: str) -> dict[str, str]:
    """The environment of a process that uses these instructions only, one thread, checked memory.

    Args:
        instruction_set: A name in `INSTRUCTION_SETS`.
    """
    limits = dict(zip(VARIABLES, INSTRUCTION_SETS[instruction_set], strict=True))
    checks = {"OMP_NUM_THREADS": "1", "MALLOC_PERTURB_": "165", "PYTHONPATH": str(ROOT)}
    library = ctypes.util.find_library("c_malloc_debug")  # glibc 2.34 moved the checks there
    if library is not None:
        checks |= {"LD_PRELOAD": library, "GLIBC_TUNABLES": "glibc.malloc.check=3"}
    else:
        checks["MALLOC_CHECK_"] = "3"
    path = [checks["PYTHONPATH"], os.environ.get("PYTHONPATH", "")]
    return os.environ | limits | checks | {"PYTHONPATH": os.pathsep.join(filter(None, path))}


def run_checked(
    command: Sequence[str], instruction_set: str, **options: object
) -> subprocess.CompletedProcess[str]:
    """Runs Python with these arguments in such a process."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=narrowed(instruction_set),
        text=True,
        check=False,
        **options,  # pyright: ignore[reportArgumentType, reportCallIssue]
    )


def run_valgrind(side: str, *reals: str) -> subprocess.CompletedProcess[str]:
    """Runs the kernels under Valgrind, which checks each access against what is allocated.

    Valgrind knows no AVX-512, so that the kernels use AVX2. They are compiled by a run without
    Valgrind, and then read from the cache.

    Args:
        side: Side of the tensors on which `tests.neuron.kernel.test_guard` places its pages.
        reals: Dtypes, or "overrun" for a write beyond an allocation, which must be found.
    """
    environment = narrowed("avx2") | {"PYTHONMALLOC": "malloc", "LD_PRELOAD": ""}
    command = [sys.executable, *GUARDED, side, *reals]
    if reals != ("overrun",):
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return subprocess.run(
        [*VALGRIND, *command],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )


def main(arguments: list[str]) -> int:
    """Runs the tests on each instruction set, or Valgrind; the number of runs that fail."""
    if arguments == ["valgrind"]:
        if shutil.which("valgrind") is None:
            raise SystemExit("valgrind is not installed: apt-get install valgrind")
        runs = [run_valgrind("before", real) for real in ("float32", "float64")]
        print(*(run.stderr for run in runs), *(f"exit status {run.returncode}" for run in runs))  # noqa: T201
        return sum(run.returncode != 0 for run in runs)
    names, tests = arguments, list(CHECKED)
    if "--" in arguments:
        names, tests = arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :]
    failed = []
    for name in names or INSTRUCTION_SETS:
        start = time.perf_counter()
        done = run_checked(["-m", "pytest", "-q", "-p", "no:cacheprovider", *tests], name)
        print(f"{name}: exit status {done.returncode}, {time.perf_counter() - start:.0f} s")  # noqa: T201
        failed += [name] if done.returncode else []
    return len(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
