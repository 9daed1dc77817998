import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.critical.simulate import (
    GRAPHS,
    erdos_renyi,
    fixed_degree,
    from_links,
    modular,
    network,
    scale_free,
    small_world,
    spectral_radius,
)
from engram.critical.simulate.graph import Graph, uniform_weights
from engram.errors import EngramError


def dense(graph: Graph, weights: np.ndarray) -> np.ndarray:
    matrix = np.zeros((graph.n, graph.n))
    for i in range(graph.n):
        for k in range(graph.pointers[i], graph.pointers[i + 1]):
            matrix[i, graph.targets[k]] = weights[k]
    return matrix


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_has_its_mean_degree_no_loops_and_no_link_twice(name: str) -> None:
    graph = GRAPHS[name](600, 12, 3)
    assert graph.in_degree.mean() == pytest.approx(12, rel=0.05)
    links = dense(graph, np.ones(len(graph.targets)))
    assert np.trace(links) == 0
    assert links.sum() == len(graph.targets)
    assert 0 < graph.giant_share <= 1
    again, other = GRAPHS[name](600, 12, 3), GRAPHS[name](600, 12, 4)
    np.testing.assert_array_equal(graph.targets, again.targets)
    assert not np.array_equal(graph.targets, other.targets)


def test_each_graph_has_the_structure_of_its_name() -> None:
    random, fixed = erdos_renyi(2000, 20, 1), fixed_degree(2000, 20, 1)
    # a binomial number of links: the variance is close to the mean
    assert random.in_degree.var() == pytest.approx(20, rel=0.15)
    assert np.diff(random.pointers).var() == pytest.approx(20, rel=0.15)
    assert (fixed.in_degree == 20).all()
    hubs = scale_free(2000, 20, 1)
    assert hubs.in_degree.max() > 8 * 20
    ring = small_world(2000, 20, 1, rewired=0.1)
    assert (ring.in_degree == 20).all()
    senders = np.repeat(np.arange(2000), np.diff(ring.pointers))
    gap = np.abs(senders - ring.targets)
    assert (np.minimum(gap, 2000 - gap) <= 10).mean() == pytest.approx(0.9, abs=0.02)
    parts = modular(2000, 20, 1, modules=10, inside=0.9)
    senders = np.repeat(np.arange(2000), np.diff(parts.pointers))
    assert (senders // 200 == parts.targets // 200).mean() == pytest.approx(0.9, abs=0.02)


def test_fixed_senders_are_drawn_evenly() -> None:
    counts = sum(np.diff(fixed_degree(8, 3, seed).pointers) for seed in range(400))
    # each of 8 nodes is drawn 8 · 3 / 8 times per graph
    np.testing.assert_allclose(counts, 1200, atol=5 * np.sqrt(1200))


@pytest.mark.parametrize("inhibitory", [0, 0.2])
def test_the_radius_agrees_with_dense_eigenvalues(inhibitory: float) -> None:
    graph = erdos_renyi(300, 15, 5)
    net = network(graph, 0.9, 6, inhibitory=inhibitory)
    values = np.linalg.eigvals(dense(graph, net.weights))
    assert values.real.max() == pytest.approx(0.9, rel=1e-5)
    assert spectral_radius(graph, net.weights) == pytest.approx(0.9, rel=1e-5)
    assert ((net.weights < 0).mean() > 0.1) == (inhibitory > 0)
    if not inhibitory:
        assert np.abs(values).max() == pytest.approx(0.9, rel=1e-5)


def test_periodic_and_acyclic_graphs_are_no_trap() -> None:
    n = 400  # more than are solved densely
    ring = from_links(n, np.arange(n), (np.arange(n) + 1) % n)
    assert network(ring, 0.5, 0, weights=np.full(n, 0.7)).weights == pytest.approx(0.5, rel=1e-5)
    tree = from_links(n, np.arange(n - 1), np.arange(1, n))
    with pytest.raises(EngramError, match="no cycle"):
        network(tree, 0.5, 0)
    assert tree.giant_share == pytest.approx(1 / n)


def test_several_components_are_reported() -> None:
    links = np.array([[0, 1, 2, 3, 4], [1, 2, 0, 4, 3]])
    assert from_links(6, *links).giant_share == pytest.approx(0.5)


def test_what_cannot_be_a_network_is_refused() -> None:
    graph = erdos_renyi(100, 5, 0)
    for radius in (0, -1, np.nan):
        with pytest.raises(EngramError, match="λ must be above 0"):
            network(graph, radius, 0)
    with pytest.raises(EngramError, match="can have λ up to"):
        network(graph, 4, 0, "clip")
    with pytest.raises(EngramError, match="no links"):
        from_links(5, np.empty(0, int), np.empty(0, int))
    with pytest.raises(EngramError, match="no links"):
        network(Graph(np.zeros(6, int), np.empty(0, np.int32)), 1, 0)
    with pytest.raises(EngramError, match="there are 0 to 4"):
        from_links(5, np.array([0]), np.array([5]))
    with pytest.raises(EngramError, match="below n"):
        erdos_renyi(10, 10, 0)
    with pytest.raises(EngramError, match="even degree"):
        small_world(10, 3, 0)
    with pytest.raises(EngramError, match="above 2"):
        scale_free(10, 3, 0, exponent=2)


def test_weights_are_uniform() -> None:
    graph = erdos_renyi(500, 40, 2)
    weights = np.sort(uniform_weights(graph, 3))
    far = np.abs(weights - (np.arange(len(weights)) + 0.5) / len(weights)).max()
    assert far < 1.6 / np.sqrt(len(weights))  # Kolmogorov's 1 % point


@given(st.integers(2, 9), st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=20))
def test_a_graph_has_a_cycle_where_a_power_of_its_matrix_says_so(n, links) -> None:
    links = [(a % n, b % n) for a, b in links] or [(0, 1)]
    senders, receivers = np.array(links).T
    graph = from_links(n, senders, receivers)
    matrix = np.zeros((n, n))
    matrix[senders, receivers] = 1
    assert graph.cyclic == bool(np.linalg.matrix_power(matrix, n).any())
