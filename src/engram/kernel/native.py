"""What the CPU kernels need below Numba's arrays: addresses, bit patterns, an atomic counter.

A kernel is a C function of one argument, a block of 64-bit words (`team.launch` fills it): the
number of pieces already taken, the number of pieces, then what the kernel reads and writes. Every
thread of the team runs the same function and takes pieces until none is left, so that a piece's
result never depends on the number of threads.
"""

# Numba compiles these; to a type checker its intrinsics are functions without a meaning
# pyright: reportArgumentType=false, reportCallIssue=false, reportReturnType=false
# pyright: reportPrivateImportUsage=false, reportAttributeAccessIssue=false

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, cfunc, njit, types
from numba.extending import intrinsic

_compiled: list[Any] = []
"""The machine code of a kernel lives as long as the object that holds it."""


def compile_kernel(function: Callable[[Any], None]) -> int:
    """Compiles a kernel, or takes it from the cache on disk, and returns its address."""
    _compiled.append(cfunc(types.void(types.CPointer(types.int64)), cache=True)(function))
    return _compiled[-1].address


@intrinsic
def _pointer(_context: Any, address: Any, like: Any) -> Any:
    signature = types.CPointer(like)(address, like)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

    return signature, codegen


@intrinsic
def _double(_context: Any, word: Any) -> Any:
    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(word), codegen


@intrinsic
def wide(_context: Any, value: Any) -> Any:
    """A stored number as kernels compute with it: bfloat16, whose bits are a uint16, in float32."""
    if value != types.uint16:
        return value(value), lambda _context, _builder, _signature, args: args[0]

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        word = ir.IntType(32)
        return builder.bitcast(builder.shl(builder.zext(args[0], word), word(16)), ir.FloatType())

    return types.float32(value), codegen


@intrinsic
def narrow(_context: Any, value: Any, like: Any) -> Any:
    """A number as it is stored among numbers like another one: float32 rounded to bfloat16."""
    if like != types.uint16:
        return value(value, like), lambda _context, _builder, _signature, args: args[0]

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        word, half = ir.IntType(32), ir.IntType(16)
        bits = builder.bitcast(args[0], word)
        odd = builder.and_(builder.lshr(bits, word(16)), word(1))  # halves go to even numbers
        rounded = builder.add(builder.add(bits, word(0x7FFF)), odd)
        found = builder.trunc(builder.lshr(rounded, word(16)), half)
        unknown = builder.fcmp_unordered("uno", args[0], args[0])
        return builder.select(unknown, half(0x7FC0), found)

    return types.uint16(value, like), codegen


@intrinsic
def _two_to(_context: Any, n: Any) -> Any:
    """2^n in float32 from an int32: the exponent is written where it stands in the bits."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        word = ir.IntType(32)
        exponent = builder.add(args[0], word(127))
        return builder.bitcast(builder.shl(exponent, word(23)), ir.FloatType())

    return types.float32(types.int32), codegen


@intrinsic
def _fetch_add(_context: Any, words: Any, amount: Any) -> Any:
    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", args[0], args[1], "monotonic")

    return types.int64(words, amount), codegen


@njit(inline="always")
def take(words: Any) -> int:
    """The next piece of work, or −1 when all are taken."""
    piece = _fetch_add(words, np.int64(1))
    return piece if piece < carray(words, 2)[1] else -1


@njit(inline="always")
def array_at(address: int, zero: Any, length: int) -> np.ndarray:
    """The array of `length` numbers, of the type of `zero`, that starts at an address."""
    return carray(_pointer(address, zero), length)


@njit(inline="always")
def number_at(word: int) -> float:
    """The float64 whose bits a word holds."""
    return _double(word)


@njit
def exp32(x: np.float32) -> np.float32:
    """exp(x) for x ≤ 0 in float32, to 2 units in the last place, in a form that vectorises.

    2^n · p(f), with n the nearest integer to x·log₂e and p a polynomial on |f| ≤ ln 2/2.
    """
    x = max(x, np.float32(-87.0))
    n = np.floor(x * np.float32(1.4426950408889634) + np.float32(0.5))
    f = x - n * np.float32(0.693359375)
    f = f + n * np.float32(2.12194440e-4)
    p = np.float32(1.9875691500e-4)
    p = p * f + np.float32(1.3981999507e-3)
    p = p * f + np.float32(8.3334519073e-3)
    p = p * f + np.float32(4.1665795894e-2)
    p = p * f + np.float32(1.6666665459e-1)
    p = p * f + np.float32(5.0000001201e-1)
    p = p * f * f + f + np.float32(1.0)
    return p * _two_to(np.int32(n))
