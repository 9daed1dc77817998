"""Ask the processor for memory before it is needed, in compiled code."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_BYTE = ir.IntType(8).as_pointer()
_FLAG = ir.IntType(32)


@intrinsic
def prefetch(context: Any, array: Any, index: Any) -> Any:
    """Bring an item of a one-dimensional array into the cache without waiting for it.

    For use within Numba's compiled functions, where many items far apart are read soon after. The
    result of a program does not change, and an index out of range is harmless.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        found = context.make_array(kind)(context, builder, arguments[0])
        place = cgutils.get_item_pointer(
            context, builder, kind, found, [arguments[1]], wraparound=False
        )
        ask = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [_BYTE, *[_FLAG] * 3]), "llvm.prefetch"
        )
        # for reading, to be kept in every level, data
        builder.call(ask, [builder.bitcast(place, _BYTE), _FLAG(0), _FLAG(3), _FLAG(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), code
