"""Sums over spikes as masked additions, written in LLVM's IR.

A word of bits selects the lanes of a vector to which a weight is added. The sums of `SPAN` places
stay in registers while all weights of an output go by, so that a weight costs two instructions per
vector and a weight of zero none.
"""

# Numba compiles these; to a type checker its intrinsics are functions without a meaning
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportIndexIssue=false
# pyright: reportPrivateImportUsage=false, reportOperatorIssue=false

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from engram.kernel.vector import WIDE

LANES = 16 if WIDE else 8
"""Places per vector; two narrower registers hold one where a processor has no wider ones."""
VECTORS = 8
"""Vectors whose sums are in registers together."""
SPAN = LANES * VECTORS
"""Places whose sums are in registers together."""

_INT = ir.IntType(64)
_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_BITS = ir.IntType(LANES)
_MASK = ir.VectorType(ir.IntType(1), LANES)


def _data(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    """A pointer to an item of an array."""
    return builder.gep(context.make_array(kind)(context, builder, array).data, [at])


def _everywhere(builder: Any, number: Any) -> Any:
    """A vector of one number."""
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(nothing, number, ir.IntType(32)(0))
    order = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, nothing, order)


def _vector_at(builder: Any, start: Any, number: int) -> Any:
    """A pointer to a vector of numbers that follow `start`."""
    return builder.bitcast(builder.gep(start, [_INT(number * LANES)]), _VECTOR.as_pointer())


@intrinsic
def add_where(
    _context: Any,
    bits: Any,
    at_bits: Any,
    places: Any,
    indices: Any,
    values: Any,
    first: Any,
    behind: Any,
    scale: Any,
    sums: Any,
) -> Any:
    """sums[p] += scale · Σ_k values[k] · bit p of the word of k, p < `SPAN`.

    The sum is over first ≤ k < behind. The word of k starts at byte
    `at_bits + places[indices[k]]` of `bits`.
    """
    given = (bits, at_bits, places, indices, values, first, behind, scale, sums)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        start = _data(context, builder, kinds[0], args[0], args[1])
        place, index, value, total = (
            _data(context, builder, kinds[i], args[i], _INT(0)) for i in (2, 3, 4, 8)
        )
        first, behind, scale = args[5], args[6], args[7]
        held = [_vector_at(builder, total, v) for v in range(VECTORS)]
        so_far = [builder.load(pointer, align=4) for pointer in held]
        before = builder.block
        loop, after = (builder.append_basic_block(name) for name in ("weights", "added"))
        builder.cbranch(builder.icmp_signed("<", first, behind), loop, after)
        builder.position_at_end(loop)
        k, sums = builder.phi(_INT), [builder.phi(_VECTOR) for _ in range(VECTORS)]
        number = builder.zext(builder.load(builder.gep(index, [k])), _INT)
        byte = builder.sext(builder.load(builder.gep(place, [number])), _INT)
        weight = builder.fmul(builder.load(builder.gep(value, [k])), scale)
        weight = _everywhere(builder, weight)
        word = builder.gep(start, [byte])
        new = []
        for v in range(VECTORS):
            at = builder.gep(word, [_INT(v * LANES // 8)])
            mask = builder.load(builder.bitcast(at, _BITS.as_pointer()), align=1)
            added = builder.fadd(sums[v], weight)
            new.append(builder.select(builder.bitcast(mask, _MASK), added, sums[v]))
        following = builder.add(k, _INT(1))
        builder.cbranch(builder.icmp_signed("<", following, behind), loop, after)
        k.add_incoming(first, before)
        k.add_incoming(following, loop)
        builder.position_at_end(after)
        for v in range(VECTORS):
            sums[v].add_incoming(so_far[v], before)
            sums[v].add_incoming(new[v], loop)
            result = builder.phi(_VECTOR)
            result.add_incoming(so_far[v], before)
            result.add_incoming(new[v], loop)
            so_far[v] = result
        for pointer, result in zip(held, so_far, strict=True):
            builder.store(result, pointer, align=4)
        return context.get_dummy_value()

    return types.void(*given), code


@intrinsic
def ones(_context: Any, x: Any, at: Any) -> Any:
    """A word whose bit p says whether x[at + p] is 1, p < `LANES`."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = _data(context, builder, signature.args[0], args[0], args[1])
        numbers = builder.load(_vector_at(builder, start, 0), align=4)
        one = ir.Constant(_VECTOR, [1.0] * LANES)
        found = builder.fcmp_ordered("==", numbers, one)
        return builder.zext(builder.bitcast(found, _BITS), _INT)

    return types.uint64(x, at), code


@intrinsic
def others(_context: Any, x: Any, at: Any) -> Any:
    """A word whose bit p says whether x[at + p] is neither 0 nor 1, p < `LANES`."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = _data(context, builder, signature.args[0], args[0], args[1])
        numbers = builder.load(_vector_at(builder, start, 0), align=4)
        not_one = builder.fcmp_unordered("!=", numbers, ir.Constant(_VECTOR, [1.0] * LANES))
        not_zero = builder.fcmp_unordered("!=", numbers, ir.Constant(_VECTOR, [0.0] * LANES))
        found = builder.and_(not_one, not_zero)
        return builder.zext(builder.bitcast(found, _BITS), _INT)

    return types.uint64(x, at), code
