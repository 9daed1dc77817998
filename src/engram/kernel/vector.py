"""The two loops of a matrix product that a compiler does not find by itself, written in LLVM's IR.

A matrix of four rows times a long one keeps its 4 × VECTORS results in registers while it goes
along the inputs; the product of two long ones keeps 4 × 4 sums. Both then do as many multiply-adds
a cycle as the processor can. Vectors are as wide as its registers, in the type of the arrays.
"""

# Numba compiles these; to a type checker its intrinsics are functions without a meaning
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportIndexIssue=false
# pyright: reportPrivateImportUsage=false, reportOperatorIssue=false

import platform
from typing import Any

from llvmlite import binding, ir
from numba import config, types
from numba.extending import intrinsic

X86 = platform.machine().lower() in ("x86_64", "amd64")


def _features() -> set[str]:
    """What the processor that Numba compiles for has, by LLVM's names."""
    if config.CPU_FEATURES is None:
        return {name for name, has in binding.get_host_cpu_features().items() if has}
    return {name[1:] for name in config.CPU_FEATURES.split(",") if name.startswith("+")}


ROWS = 4
FEATURES = _features()
WIDE = "avx512f" in FEATURES
FUSED = "fma" in FEATURES or not X86
"""Whether one instruction multiplies and adds; else LLVM would call a function for each number."""
BYTES = 64 if WIDE else 16 if X86 and "avx" not in FEATURES else 32
"""Width of a vector."""
VECTORS = 4 if WIDE else 2
"""Vectors side by side in a product: with 16 registers in all, 4 × 4 sums would not fit."""
AT_ONCE = 4 if WIDE else 2
"""Rows of a correlation whose sums are in registers together."""

_INT = ir.IntType(64)


class _Vectors:
    """Emits vector operations on the arrays of one real type."""

    def __init__(self, context: Any, builder: Any, dtype: Any) -> None:
        self.context, self.builder = context, builder
        self.real = context.get_data_type(dtype)
        self.itemsize = dtype.bitwidth // 8
        self.lanes = BYTES // self.itemsize
        self.type = ir.VectorType(self.real, self.lanes)
        self.zero = ir.Constant(self.type, None)

    def pointer(self, array_type: Any, array: Any, at: Any) -> Any:
        data = self.context.make_array(array_type)(self.context, self.builder, array).data
        return self.builder.gep(data, [at])

    def load(self, pointer: Any) -> Any:
        found = self.builder.load(self.builder.bitcast(pointer, self.type.as_pointer()))
        found.align = self.itemsize
        return found

    def store(self, value: Any, pointer: Any) -> None:
        to = self.builder.bitcast(pointer, value.type.as_pointer())
        self.builder.store(value, to).align = 1

    def everywhere(self, number: Any) -> Any:
        """A vector of one number."""
        nothing = ir.Constant(self.type, ir.Undefined)
        first = self.builder.insert_element(nothing, number, ir.IntType(32)(0))
        return self.shuffle(first, nothing, [0] * self.lanes)

    def shuffle(self, a: Any, b: Any, order: list[int]) -> Any:
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order)
        return self.builder.shuffle_vector(a, b, mask)

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        """A·b + c, rounded once where the processor does so."""
        if not FUSED:
            return self.builder.fadd(self.builder.fmul(a, b), c)
        name = f"llvm.fma.v{self.lanes}f{8 * self.itemsize}"
        function = self.builder.module.globals.get(name) or ir.Function(
            self.builder.module, ir.FunctionType(self.type, [self.type] * 3), name
        )
        return self.builder.call(function, [a, b, c])

    def accumulate(self, count: Any, step: int, width: int, body: Any) -> list[Any]:
        """`width` sums, zero at first, after `body(i, sums)` for i = 0, step, … before count."""
        builder = self.builder
        before = builder.block
        loop, after = (builder.append_basic_block(name) for name in ("accumulate", "accumulated"))
        builder.cbranch(builder.icmp_signed(">", count, _INT(0)), loop, after)
        builder.position_at_end(loop)
        i, sums = builder.phi(_INT), [builder.phi(self.type) for _ in range(width)]
        new = body(i, sums)
        following = builder.add(i, _INT(step))
        i.add_incoming(_INT(0), before)
        i.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
        builder.position_at_end(after)
        totals = [builder.phi(self.type) for _ in range(width)]
        for total, so_far, value in zip(totals, sums, new, strict=True):
            so_far.add_incoming(self.zero, before)
            so_far.add_incoming(value, loop)
            total.add_incoming(self.zero, before)
            total.add_incoming(value, loop)
        return totals

    def totals(self, vectors: list[Any]) -> list[Any]:
        """The sum of each vector's lanes, in order, packed into as few vectors as hold them."""
        even = list(range(0, 2 * self.lanes, 2))
        odd = [lane + 1 for lane in even]
        width = self.lanes
        while width > 1:
            pairs = zip(vectors[::2], vectors[1::2], strict=True)
            vectors = [
                self.builder.fadd(self.shuffle(a, b, even), self.shuffle(a, b, odd))
                for a, b in pairs
            ]
            width //= 2
        return vectors


def chunk(itemsize: int) -> int:
    """Numbers of that size in a row of what `multiply` writes."""
    return VECTORS * BYTES // itemsize


@intrinsic
def multiply(
    _context: Any,
    panel: Any,
    at_panel: Any,
    count: Any,
    x: Any,
    at_x: Any,
    pitch_x: Any,
    h: Any,
    at_h: Any,
    pitch_h: Any,
) -> Any:
    """H[r, :] = Σ_k panel[k, r] X[k, :] for r < ROWS, k < count, over a chunk of columns.

    `panel` is `(count, ROWS)` without gaps; rows of x and h follow each other at their pitch.
    """
    given = (panel, at_panel, count, x, at_x, pitch_x, h, at_h, pitch_h)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at = dict(zip(("panel", "p", "n", "x", "i", "dx", "h", "j", "dh"), args, strict=True))
        vectors = _Vectors(context, builder, signature.args[0].dtype)
        weights = vectors.pointer(signature.args[0], at["panel"], at["p"])
        inputs = vectors.pointer(signature.args[3], at["x"], at["i"])
        outputs = vectors.pointer(signature.args[6], at["h"], at["j"])
        columns = [_INT(v * vectors.lanes) for v in range(VECTORS)]

        def body(k: Any, sums: list[Any]) -> list[Any]:
            row = builder.gep(inputs, [builder.mul(k, at["dx"])])
            w = builder.gep(weights, [builder.mul(k, _INT(ROWS))])
            read = [vectors.load(builder.gep(row, [column])) for column in columns]
            new = []
            for r in range(ROWS):
                weight = vectors.everywhere(builder.load(builder.gep(w, [_INT(r)])))
                of_row = sums[r * VECTORS : (r + 1) * VECTORS]
                new += map(vectors.multiply_add, [weight] * VECTORS, read, of_row)
            return new

        totals = iter(vectors.accumulate(at["n"], 1, ROWS * VECTORS, body))
        for r in range(ROWS):
            row = builder.gep(outputs, [builder.mul(_INT(r), at["dh"])])
            for column in columns:
                vectors.store(next(totals), builder.gep(row, [column]))
        return context.get_dummy_value()

    return types.void(*given), codegen


@intrinsic
def correlate(
    _context: Any,
    g: Any,
    at_g: Any,
    x: Any,
    at_x: Any,
    pitch: Any,
    count: Any,
    sums: Any,
    at_sums: Any,
) -> Any:
    """sums[k, r] += Σ_n G[r, n] X[k, n] for r, k < ROWS, over `count` columns, whole vectors.

    Each sum over the columns is in the precision of the arrays; `sums` holds float64.
    """
    given = (g, at_g, x, at_x, pitch, count, sums, at_sums)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at = dict(zip(("g", "i", "x", "j", "d", "n", "sums", "p"), args, strict=True))
        vectors = _Vectors(context, builder, signature.args[0].dtype)
        pointers = (
            vectors.pointer(signature.args[0], at["g"], at["i"]),
            vectors.pointer(signature.args[2], at["x"], at["j"]),
        )
        rows = [
            [builder.gep(start, [builder.mul(_INT(r), at["d"])]) for r in range(ROWS)]
            for start in pointers
        ]
        found = [vectors.zero] * ROWS**2
        for first in range(0, ROWS, AT_ONCE):
            of_g = rows[0][first : first + AT_ONCE]

            def body(n: Any, so_far: list[Any], of_g: list[Any] = of_g) -> list[Any]:
                a = [vectors.load(builder.gep(row, [n])) for row in of_g]
                b = [vectors.load(builder.gep(row, [n])) for row in rows[1]]
                pairs = [(left, right) for right in b for left in a]
                return [
                    vectors.multiply_add(left, right, total)
                    for (left, right), total in zip(pairs, so_far, strict=True)
                ]

            totals = vectors.accumulate(at["n"], vectors.lanes, ROWS * AT_ONCE, body)
            for k in range(ROWS):
                found[k * ROWS + first : k * ROWS + first + AT_ONCE] = totals[
                    k * AT_ONCE : (k + 1) * AT_ONCE
                ]
        to = vectors.pointer(signature.args[6], at["sums"], at["p"])
        double = ir.VectorType(ir.DoubleType(), vectors.lanes)
        for v, total in enumerate(vectors.totals(found)):
            place = builder.gep(to, [_INT(v * vectors.lanes)])
            before = builder.load(builder.bitcast(place, double.as_pointer()))
            before.align = 8
            exact = total if total.type == double else builder.fpext(total, double)
            vectors.store(builder.fadd(before, exact), place)
        return context.get_dummy_value()

    return types.void(*given), codegen
