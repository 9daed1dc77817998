"""The steps of the simulation, compiled: only links of active nodes are visited.

Draws have addresses: stream t (N + 1) + i belongs to node i in step t, and stream t (N + 1) + N to
the drive of step t. Spikes therefore do not depend on the order in which nodes are visited.
"""

# compiled by Numba; to a type checker its numbers are Python's
# pyright: reportReturnType=false, reportArgumentType=false, reportCallIssue=false

import math
from typing import Any

import numpy as np
from numba import njit

from engram.kernel.philox_cpu import block, word
from engram.kernel.prefetch import prefetch

BATCH = 4096
"""Links that are met before their weights are looked up."""
GROUP = 2048
"""Neighbouring units whose events are sorted together."""
_TINY = 2.0**-32


@njit(inline="always")
def _above_zero(bits: Any) -> float:
    """A word as a number between 0 and 1, neither included."""
    return (np.float64(bits) + 0.5) * _TINY


@njit(cache=True)
def drive_step(inputs: np.ndarray, chance: float, seed: Any, stream: Any, found: np.ndarray) -> int:
    """The nodes that the drive excites in one step, by skipping from one to the next.

    Args:
        inputs: The nodes that the drive reaches, (input).
        chance: The probability of each.
        seed: Seed of the generator.
        stream: Its stream.
        found: Filled with the nodes, (input).

    Returns:
        Their number.
    """
    if chance <= 0:
        return 0
    if chance >= 1:
        found[: len(inputs)] = inputs
        return len(inputs)
    rate, place, count, number = 1 / math.log1p(-chance), -1, 0, np.uint64(0)
    while True:
        four = block(seed, stream, number)
        number += np.uint64(1)
        for j in range(4):
            skip = math.log(_above_zero(four[j])) * rate
            if skip >= len(inputs) - 1 - place:
                return count
            place += 1 + int(skip)
            found[count] = inputs[place]
            count += 1


@njit(cache=True)
def product_steps(
    pointers: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    largest: float,
    inputs: np.ndarray,
    drive: np.ndarray,
    refractory: int,
    seed: Any,
    first: int,
    active: np.ndarray,
    last: np.ndarray,
    times: np.ndarray,
    units: np.ndarray,
) -> tuple[int, int, np.ndarray]:
    """Steps of the product rule: every link of an active node succeeds with its own probability.

    Links are skipped with the largest probability, and those that are met succeed with their share
    of it, so that a link without success costs nothing. A success of a negative weight vetoes its
    target in that step.

    Args:
        pointers: Of the graph, (node + 1).
        targets: Of the graph, (link).
        weights: The probabilities; negative where they inhibit, (link).
        largest: The largest magnitude of a weight.
        inputs: The nodes that the drive reaches, (input).
        drive: The probability of the drive at each step, (time).
        refractory: Number of silent steps after a spike.
        seed: Seed of the generator.
        first: The step to begin with.
        active: The nodes that were active in the step before, (active).
        last: The step of the last spike of each node, (node); −1 − refractory for none.
        times: Filled with the steps of the spikes, (room).
        units: Filled with their nodes, (room).

    Returns:
        The next step, the number of spikes, and the nodes active in the last step. It ends early
        if there might not be room for another step.
    """
    n = len(pointers) - 1
    width = np.uint64(n + 1)
    room = BATCH + int((pointers[1:] - pointers[:-1]).max())
    links, words = np.empty(room, np.int64), np.empty(room, np.uint32)
    met, since = np.empty(room, np.int32), np.empty(room, np.int64)
    spans = np.empty((n, 2), np.int64)
    before = np.empty(n, np.int64)  # the last spikes of the nodes that fire, for a veto
    veto = np.full(n, -1, np.int64)
    near = np.empty(n, np.int32)
    count, t = 0, first
    rate = 0.0 if largest >= 1 else 1 / math.log1p(-largest)
    scale = largest * _TINY
    while t < len(drive) and count + n <= len(times):
        begin, filled, vetoes = count, 0, 0
        base = np.uint64(t) * width
        # each loop touches distant memory independently, so that the processor overlaps the waits
        for a in range(len(active)):
            spans[a, 0], spans[a, 1] = pointers[active[a]], pointers[active[a] + 1]
        for a in range(len(active) + 1):
            degree = spans[a, 1] - spans[a, 0] if a < len(active) else room
            if filled + degree > room:
                kept = 0
                for h in range(filled):
                    link = links[h]
                    weight = weights[link]
                    if np.float64(words[h]) * scale < abs(weight):
                        prefetch(targets, link)
                        links[kept], words[kept] = link, 1 if weight > 0 else 2
                        kept += 1
                for h in range(kept):
                    met[h] = targets[links[h]]
                    prefetch(last, met[h])
                for h in range(kept):
                    since[h] = t - last[met[h]]
                for h in range(kept):
                    target = met[h]
                    if words[h] == 2:
                        veto[target] = t
                        vetoes += 1
                    elif since[h] > refractory and last[target] != t:
                        before[count - begin] = last[target]
                        last[target] = t
                        units[count] = target
                        count += 1
                        prefetch(pointers, target)
                filled = 0
            if a < len(active):
                filled = _meet(
                    spans[a, 0], spans[a, 1], rate, seed, base + np.uint64(active[a]),
                    weights, links, words, filled,
                )  # fmt: skip
        driven = drive_step(inputs, drive[t], seed, base + np.uint64(n), near)
        for k in range(driven):
            prefetch(last, near[k])
            prefetch(pointers, near[k])
        for k in range(driven):
            target = near[k]
            if t - last[target] > refractory and last[target] != t:
                before[count - begin] = last[target]
                last[target] = t
                units[count] = target
                count += 1
        if vetoes:
            kept = begin
            for k in range(begin, count):
                if veto[units[k]] == t:
                    last[units[k]] = before[k - begin]
                else:
                    units[kept] = units[k]
                    kept += 1
            count = kept
        times[begin:count] = t
        active = units[begin:count].copy()
        t += 1
    return t, count, active


@njit(inline="always")
def _meet(
    start: int,
    end: int,
    rate: float,
    seed: Any,
    stream: Any,
    weights: np.ndarray,
    links: np.ndarray,
    words: np.ndarray,
    filled: int,
) -> int:
    """Add the links of a node that are met to the batch, each with a word; return its length."""
    place, number = start - 1, np.uint64(0)
    while place < end:
        four = block(seed, stream, number)
        number += np.uint64(1)
        for j in range(0, 4, 2):
            skip = math.log(_above_zero(four[j])) * rate
            if skip >= end - 1 - place:
                return filled
            place += 1 + int(skip)
            prefetch(weights, place)
            links[filled] = place
            words[filled] = four[j + 1]
            filled += 1
    return filled


@njit(cache=True)
def clip_steps(
    pointers: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    eta: np.ndarray,
    drive: np.ndarray,
    inputs: np.ndarray,
    refractory: int,
    seed: Any,
    first: int,
    active: np.ndarray,
    last: np.ndarray,
    times: np.ndarray,
    units: np.ndarray,
) -> tuple[int, int, np.ndarray]:
    """Steps of the clip rule: a node fires with the sum of its weights and its drive.

    The weights of active nodes are summed; a node that got some draws one number. A node that got
    none can be excited by the drive only, which is drawn by skipping.

    Args:
        pointers: As in `product_steps`.
        targets: As in `product_steps`.
        weights: The weights, (link).
        eta: 1 for a node that the drive reaches, else 0, (node).
        drive: As in `product_steps`.
        inputs: As in `product_steps`.
        refractory: As in `product_steps`.
        seed: As in `product_steps`.
        first: As in `product_steps`.
        active: As in `product_steps`.
        last: As in `product_steps`.
        times: As in `product_steps`.
        units: As in `product_steps`.

    Returns:
        As in `product_steps`.
    """
    n = len(pointers) - 1
    width = np.uint64(n + 1)
    total = np.zeros(n, np.float32)
    got = np.full(n, -1, np.int64)
    near = np.empty(n, np.int32)
    count, t = 0, first
    while t < len(drive) and count + n <= len(times):
        begin = count
        base = np.uint64(t) * width
        links = 0
        for a in range(len(active)):
            links += pointers[active[a] + 1] - pointers[active[a]]
        touched = 0
        many = 4 * links > n  # then all nodes are looked at in order
        if many:
            for a in range(len(active)):
                i = active[a]
                for k in range(pointers[i], pointers[i + 1]):
                    total[targets[k]] += weights[k]
            touched = n
        else:
            for a in range(len(active)):
                i = active[a]
                for k in range(pointers[i], pointers[i + 1]):
                    target = targets[k]
                    if got[target] != t:
                        got[target] = t
                        near[touched] = target
                        touched += 1
                    total[target] += weights[k]
        four = block(seed, base, np.uint64(0))
        for k in range(touched):
            target = k if many else near[k]
            if many:
                if k % 4 == 0:
                    four = block(seed, base, np.uint64(k // 4))
                bits = four[k % 4]
            else:
                bits = word(seed, base, np.uint64(target))
            sum_ = total[target]
            if sum_ == 0:  # nothing came, or it cancels
                got[target] = -1
                continue
            total[target] = 0
            got[target] = t
            chance = np.float64(sum_) + eta[target] * drive[t]
            if t - last[target] > refractory and np.float64(bits) * _TINY < chance:
                units[count] = target
                count += 1
        driven = drive_step(inputs, drive[t], seed, base + np.uint64(n), near)
        for k in range(driven):
            target = near[k]
            if got[target] != t and t - last[target] > refractory:
                units[count] = target
                count += 1
        for k in range(begin, count):
            times[k] = t
            last[units[k]] = t
        active = units[begin:count].copy()
        t += 1
    return t, count, active


@njit(cache=True)
def by_unit(units: np.ndarray, times: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Sort events, which are in order of time, by unit.

    Args:
        units: The unit of each event, (event).
        times: Its time, (event).
        n: Number of units.

    Returns:
        Pointers (unit + 1) and times (event), as in Spikes.
    """
    if n > 32 * GROUP:  # scattered writes to this many units would miss the cache
        units, times = _by_group(units, times, n)
    pointers = np.zeros(n + 1, np.int64)
    for unit in units:
        pointers[unit + 1] += 1
    for i in range(n):
        pointers[i + 1] += pointers[i]
    place, found = pointers[:-1].copy(), np.empty(len(times), times.dtype)
    for k in range(len(units)):
        found[place[units[k]]] = times[k]
        place[units[k]] += 1
    return pointers, found


@njit(cache=True)
def _by_group(units: np.ndarray, times: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Sort events by groups of neighbouring units, within which they keep their order."""
    place = np.zeros(n // GROUP + 2, np.int64)
    for unit in units:
        place[unit // GROUP + 1] += 1
    place = np.cumsum(place)
    grouped, when = np.empty_like(units), np.empty_like(times)
    for k in range(len(units)):
        group = units[k] // GROUP
        grouped[place[group]], when[place[group]] = units[k], times[k]
        place[group] += 1
    return grouped, when
