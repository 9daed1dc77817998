"""Files that are damaged, foreign or hostile, and graphs that are not sound."""

from collections.abc import Callable
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest
import torch
from torch import nn

from engram.neuron import LIF, from_nir, to_nir
from tests.neuron.interchange.networks import if_node, lif_node

N = 5
Damage = Callable[[Path], object]


def good(path: Path) -> None:
    nir.write(path, nir.NIRGraph.from_list(nir.Linear(np.eye(N)), lif_node()))


def changed(change: Callable[[h5py.Group], None]) -> Damage:
    """A good file with a change to its nodes."""

    def write(path: Path) -> None:
        good(path)
        with h5py.File(path, "a") as file:
            change(file["node/nodes"])

    return write


def put(name: str, value: object) -> Damage:
    def change(nodes: h5py.Group) -> None:
        if name in nodes:
            del nodes[name]
        nodes[name] = value

    return changed(change)


def cut(path: Path) -> None:
    good(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def scribble(path: Path) -> None:
    good(path)
    data = bytearray(path.read_bytes())
    data[96:400] = bytes(304)
    path.write_bytes(data)


def foreign(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = 1


def with_edges(*edges: tuple[str, str]) -> Damage:
    def change(nodes: h5py.Group) -> None:
        del nodes.parent["edges"]
        nodes.parent["edges"] = np.array(edges, dtype=h5py.string_dtype())

    return changed(change)


def huge(path: Path) -> None:
    """A few kilobytes of file that say a terabyte."""
    good(path)
    with h5py.File(path, "a") as file:
        del file["node/nodes/linear/weight"]
        file.create_dataset(
            "node/nodes/linear/weight", shape=(1 << 20, 1 << 20), dtype="u1", chunks=(1024, 1024)
        )


def link(path: Path) -> None:
    other = path.with_name("other.h5")
    with h5py.File(other, "w") as file:
        file["secret"] = np.eye(N)
    good(path)
    with h5py.File(path, "a") as file:
        del file["node/nodes/linear/weight"]
        file["node/nodes/linear/weight"] = h5py.ExternalLink("other.h5", "/secret")


def external(path: Path) -> None:
    raw = path.with_name("raw.bin")
    raw.write_bytes(bytes(8 * N * N))
    good(path)
    with h5py.File(path, "a") as file:
        del file["node/nodes/linear/weight"]
        file.create_dataset(
            "node/nodes/linear/weight", (N, N), "f8", external=[(str(raw), 0, 8 * N * N)]
        )


def loop(path: Path) -> None:
    good(path)
    with h5py.File(path, "a") as file:
        file["node/nodes/again"] = file["node"]


def newer(path: Path) -> None:
    put("lif/type", "AdExLIF")(path)
    with h5py.File(path, "a") as file:
        del file["version"]
        file["version"] = "99.1.0"


FILES: dict[str, tuple[Damage, str]] = {
    "missing": (lambda path: None, "no such file"),
    "folder": (lambda path: path.mkdir(), "a folder"),
    "empty": (lambda path: path.write_bytes(b""), "empty file.*download"),
    "text": (lambda path: path.write_text("Not Found"), "not an HDF5 file.*b'Not Found'"),
    "pointer": (
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0"),
        "Git LFS pointer.*git lfs pull",
    ),
    "picture": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99)), "not an HDF5"),
    "truncated": (cut, "damaged or cut short.*again"),
    "overwritten": (scribble, "damaged|without the group"),
    "foreign": (foreign, "without the group 'node'.*holds x"),
    "node of a number": (lambda p: h5py.File(p, "w").create_dataset("node", data=1), "'node'"),
    "single node": (lambda path: nir.write(path, lif_node()), "a single LIF.*from_list"),
    "unknown type": (put("lif/type", "AdExLIF"), "'lif' has the type 'AdExLIF'.*CubaLIF"),
    "newer version": (newer, r"'AdExLIF'.*written by nir 99.1.0, newer than.*-U nir"),
    "no type": (changed(lambda nodes: nodes["lif"].pop("type")), "'lif' has no type"),
    "no field": (changed(lambda nodes: nodes["lif"].pop("tau")), "LIF at 'lif'.*tau"),
    "unknown field": (put("lif/colour", 3.0), "LIF at 'lif'.*colour"),
    "shapes": (put("lif/tau", np.full(3, 5e-4)), "LIF at 'lif'.*same shape"),
    "nan": (put("lif/tau", np.full(N, np.nan)), r"LIF at 'lif': its tau holds nan \(5 of 5"),
    "infinite": (put("linear/weight", np.full((N, N), np.inf)), "Linear at 'linear'.*weight holds"),
    "text for numbers": (put("lif/tau", np.array(["a"] * N, "S1")), "LIF at 'lif'"),
    "complex": (put("linear/weight", np.eye(N) * 1j), "type complex128"),
    "no edges": (changed(lambda nodes: nodes.parent.pop("edges")), "no list of pairs"),
    "edges of three": (
        changed(
            lambda nodes: (
                nodes.parent.pop("edges"),
                nodes.parent.create_dataset("edges", data=np.array([[b"a", b"b", b"c"]])),
            )
        ),
        "no list of pairs",
    ),
    "edge to nowhere": (
        with_edges(("input", "linear"), ("linear", "lif"), ("lif", "void"), ("lif", "output")),
        r"the edge \('lif', 'void'\) leads to 'void', which is no node",
    ),
    "edge twice": (
        with_edges(("input", "linear"), ("input", "linear"), ("linear", "lif"), ("lif", "output")),
        r"\('input', 'linear'\) occurs more than once",
    ),
    "shapes that differ": (
        put("linear/weight", np.ones((1, N))),
        r"'linear' gives \(\) values and 'lif' takes \(5,\)",
    ),
    "absurd": (huge, r"weight.*\(1048576, 1048576\).*above the limit"),
    "link": (link, "weight' is a link.*ExternalLink"),
    "soft link": (put("lif/tau2", h5py.SoftLink("/node/nodes/lif/r")), "is a link"),
    "external": (external, "weight' lies in another file"),
    "loop of groups": (loop, "occurs twice"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_refused_with_its_name_the_fault_and_the_remedy(name, tmp_path):
    damage, message = FILES[name]
    path = tmp_path / "net.nir"
    damage(path)
    with pytest.raises(ValueError, match=f"(?s)net.nir: .*({message})") as caught:
        from_nir(path)
    assert "\n" not in str(caught.value).split("net.nir: ")[1][:60]


def test_a_missing_file_is_one_for_callers_who_expect_that(tmp_path):
    with pytest.raises(FileNotFoundError):
        from_nir(tmp_path / "none.nir")


def test_a_good_file_loads_from_any_path(tmp_path):
    good(tmp_path / "net.nir")
    for path in (tmp_path / "net.nir", str(tmp_path / "net.nir")):
        assert from_nir(path).notes[0] == f"written by nir {nir.version}"


@pytest.mark.parametrize("graph", [None, 3, lif_node(), {"nodes": {}}, b"net.nir"])
def test_what_is_no_graph_is_refused(graph):
    with pytest.raises(ValueError, match=r"from_nir got a .*nir\.NIRGraph"):
        from_nir(graph)


@pytest.mark.parametrize(
    ("nodes", "edges", "message"),
    [
        ({"a": None}, [("x", "a"), ("a", "y")], "'a' is a NoneType"),
        ({"a": lif_node(v_threshold=np.nan)}, [("x", "a"), ("a", "y")], "'a': its v_threshold"),
        ({"a": if_node(r=np.inf)}, [("x", "a"), ("a", "y")], "'a': its r holds inf"),
        ({"a": nir.Scale(np.array([]))}, [("x", "a"), ("a", "y")], "'a': its scale.*empty"),
        (
            {"a": nir.Scale(np.broadcast_to(1.0, (1 << 20, 1 << 20)))},
            [("x", "a"), ("a", "y")],
            "'a': its scale.*too large",
        ),
        ({}, [], r"'output' reads \(\)"),
        (
            {"a": nir.Conv2d(None, np.ones((3, 3, 3)), 1, 0, 1, 1, np.ones(3))},
            [("x", "a"), ("a", "y")],
            "Conv2d at 'a'.*4 axes",
        ),
        (
            {"a": nir.Conv1d(None, np.ones((3, 1, 3)), 1, 0, 1, 2, np.ones(3))},
            [("x", "a"), ("a", "y")],
            "Conv1d at 'a'.*groups=2",
        ),
    ],
)
def test_a_graph_that_is_not_sound_is_refused(nodes, edges, message):
    ends = {"x": nir.Input(np.array([N])), "y": nir.Output(np.array([N]))}
    with pytest.raises(ValueError, match=message):
        from_nir(nir.NIRGraph(ends | nodes, edges, type_check=False), dt=1e-4)


def test_parameters_that_require_grad_load_and_export():
    linear = nn.Linear(N, N)
    graph = nir.NIRGraph.from_list(nir.Affine(linear.weight, linear.bias), lif_node())
    x = torch.rand(4, 2, N)
    torch.testing.assert_close(from_nir(graph)(x), LIF(5.0)(linear(x)))
    for scale in (torch.ones(N), torch.full((N,), 2.0)):
        net = nn.Sequential(linear, LIF(scale * 3, threshold=scale))
        torch.testing.assert_close(from_nir(to_nir(net, (N,)))(x), net(x))
