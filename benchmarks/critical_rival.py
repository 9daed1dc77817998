"""Brian2 on the network of `benchmarks.critical`, in a Python of its own that has brian2.

python benchmarks/critical_rival.py cython 500          prints seconds and spikes as JSON
python benchmarks/critical_rival.py cpp_standalone 500
"""

import json
import sys
import tempfile
import time

import brian2 as b  # pyright: ignore[reportMissingImports]

NODES, DEGREE, RADIUS, DRIVE = 10_000, 1000, 0.9, 1e-3


def main(target: str, steps: int) -> None:
    """Simulate, and print how long the run took, without building and compiling."""
    standalone = target == "cpp_standalone"
    folder = tempfile.mkdtemp()
    if standalone:
        b.set_device("cpp_standalone", directory=folder, build_on_run=False)
    else:
        b.prefs.codegen.target = target
    b.prefs.codegen.cpp.extra_compile_args_gcc = ["-w", "-O3", "-march=native", "-ffast-math"]
    b.defaultclock.dt = 1 * b.ms
    b.seed(0)
    group = b.NeuronGroup(
        NODES, "inputs : 1", threshold=f"rand() < 1 - {1 - DRIVE} * exp(inputs)", reset=""
    )
    group.run_regularly("inputs = 0", when="after_thresholds")
    links = b.Synapses(group, group, "logq : 1 (constant)", on_pre="inputs_post += logq")
    links.connect(p=DEGREE / NODES)
    links.logq = f"log(1 - {2 * RADIUS / DEGREE} * rand())"
    counted = b.SpikeMonitor(group, record=False)
    network = b.Network(group, links, counted)
    if standalone:
        network.run(steps * b.ms)
        b.device.build(directory=folder, compile=True, run=True)
        seconds, before = b.device._last_run_time, 0
    else:
        network.run(20 * b.ms)  # compiles
        before, start = int(counted.num_spikes), time.perf_counter()
        network.run(steps * b.ms)
        seconds = time.perf_counter() - start
    spikes = int(counted.num_spikes) - before
    print(json.dumps({"seconds": seconds, "spikes": spikes, "version": b.__version__}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
