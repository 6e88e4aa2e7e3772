"""Lane functions of the CPU: a vector is one SIMD register of L float32, and a tile stays in registers.

Each function emits the LLVM code for the function of the same name in __init__.py.
"""

import operator
from math import prod
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

from fastdigits.ops.lanes.vector_unit import LANES as L
from fastdigits.ops.lanes.vector_unit import MASKED_LOADS
from fastdigits.ops.runtime.numba_cache import cached
from fastdigits.ops.runtime.replay import recordable

I32, I64, F32 = ir.IntType(32), ir.IntType(64), ir.FloatType()
V, INTEGERS, BITS = (ir.VectorType(t, L) for t in (F32, I32, ir.IntType(1)))


class Lanes(types.Type):
    """L values side by side: float32 (a vector) or booleans (a mask)."""

    def __init__(self, kind, llvm_type):
        self.llvm_type = llvm_type
        super().__init__(name=f"{kind}x{L}")


class Tile(types.Type):
    """An array of vectors with a constant shape."""

    def __init__(self, shape):
        self.shape = shape
        super().__init__(name=f"tile{shape}")


vector, mask = Lanes("float32", V), Lanes("mask", BITS)


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, type_):
        super().__init__(manager, type_, type_.llvm_type)


@register_model(Tile)
class _TileModel(models.PrimitiveModel):
    def __init__(self, manager, type_):
        super().__init__(manager, type_, V.as_pointer())


_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def parallel(function):
    """Compile an operation that divides the iterations of a prange among cores."""
    return recordable(cached(njit(function, parallel=True, **_OPTIONS)))


def serial(function):
    """Compile an operation that uses one core."""
    return recordable(cached(njit(function, **_OPTIONS)))


class CompiledKernel:
    """A bound kernel that only compiled code can call, so that no wrapper for Python has to be compiled."""

    def __init__(self, function):
        self.function = function
        self._numba_type_ = types.Dispatcher(function)  # the type that numba sees

    def __call__(self, *arguments):
        raise TypeError(f"Only compiled code can call the compiled kernel {self.function.__name__}.")


def compile_kernel(kernel, inline):
    """Return a bound kernel as a function that other compiled code can call.

    It is compiled for each type of its arguments. Pass the index of a prange as np.int64: Numba types it as int64 first
    and as uint64 inside the loop, so the kernel would be compiled twice.
    """
    # A function that takes tiles must be inlined, or the tiles would have to be in memory
    options = {"forceinline": inline, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return CompiledKernel(njit(error_model="numpy", **options)(kernel))


def _position(at):
    return types.UniTuple(types.intp, len(at))


# Tiles


@intrinsic(prefer_literal=True)
def tile(typing, *shape):
    shape = shape[0] if isinstance(shape[0], types.BaseTuple) else shape
    if not all(isinstance(n, types.IntegerLiteral) for n in shape):
        return None
    t = Tile(tuple(n.literal_value for n in shape))
    return t(types.StarArgTuple(shape)), lambda ctx, b, sig, args: cgutils.alloca_once(b, V, size=I64(prod(t.shape)))


def _element(b, sig, vectors, at):
    """Return the address of t[at]."""
    t, at_type, *_ = sig.args
    at = cgutils.unpack_tuple(b, at) if isinstance(at_type, types.BaseTuple) else [at]
    offset = I64(0)
    for size, i in zip(t.shape, at, strict=True):
        offset = b.add(b.mul(offset, I64(size)), i)
    return b.gep(vectors, [offset])


def _tile_index(at):
    return _position(at) if isinstance(at, types.BaseTuple) else types.intp


@type_callable(operator.getitem)
def _type_tile_getitem(context):
    return lambda t, at: vector(t, _tile_index(at)) if isinstance(t, Tile) else None


@lower_builtin(operator.getitem, Tile, types.Any)
def _tile_getitem(ctx, b, sig, args):
    return b.load(_element(b, sig, *args[:2]))


@type_callable(operator.setitem)
def _type_tile_setitem(context):
    return lambda t, at, v: types.void(t, _tile_index(at), vector) if isinstance(t, Tile) else None


@lower_builtin(operator.setitem, Tile, types.Any, Lanes)
def _tile_setitem(ctx, b, sig, args):
    b.store(args[2], _element(b, sig, *args[:2]))


# Memory


def _pointer(ctx, b, array_type, array, at):
    """Return the address of x[at], or of x[at, 0] if `at` omits the last axis, in a C-contiguous x."""
    array = ctx.make_array(array_type)(ctx, b, array)
    sizes = cgutils.unpack_tuple(b, array.shape)
    at = cgutils.unpack_tuple(b, at)
    offset = at[0]
    for size, i in zip(sizes[1:], at[1:], strict=False):
        offset = b.add(b.mul(offset, size), i)
    if len(at) < array_type.ndim:
        offset = b.mul(offset, I64(L))
    return b.gep(array.data, [offset])


def _load_vector(b, pointer, element):
    """Load L numbers as float32, assuming only the alignment of one element."""
    pointer = b.bitcast(pointer, ir.VectorType(pointer.type.pointee, L).as_pointer())
    v = b.load(pointer)
    v.align = element.bitwidth // 8
    if element == types.float32:
        return v
    return b.sitofp(v, V) if element.signed else b.uitofp(v, V)


def _masked_load(b, pointer, wanted):
    """Load the wanted lanes of the vector at a float32 pointer; the others are zero and their memory is not read."""
    function = ir.FunctionType(V, [V.as_pointer(), I32, BITS, V])
    masked_load = cgutils.get_or_insert_function(b.module, function, f"llvm.masked.load.v{L}f32.p0")
    return b.call(masked_load, [pointer, I32(4), wanted, V(None)])


@intrinsic
def load(typing, x, at):
    def code(ctx, b, sig, args):
        return _load_vector(b, _pointer(ctx, b, x, *args), x.dtype)

    return vector(x, _position(at)), code


@intrinsic
def load_span(typing, x, at, lanes):
    def code(ctx, b, sig, args):
        return _load_vector(b, _pointer(ctx, b, x, *args[:2]), x.dtype)

    return vector(x, _position(at), types.intp), code


@intrinsic
def load_inside(typing, x, at, size):
    def code(ctx, b, sig, args):
        inside = b.icmp_unsigned("<", cgutils.unpack_tuple(b, args[1])[-1], args[2])
        pointer = b.bitcast(_pointer(ctx, b, x, *args[:2]), V.as_pointer())
        if not MASKED_LOADS:
            v = b.load(b.select(inside, pointer, cgutils.alloca_once_value(b, V(None))))
            v.align = 4
            return v
        # LLVM would turn the choice of an address into branches; a masked load has none
        return _masked_load(b, pointer, _splat(b, inside))

    return vector(x, _position(at), types.intp), code


@intrinsic
def store(typing, y, at, v):
    def code(ctx, b, sig, args):
        element = ctx.get_data_type(y.dtype)
        v = args[2] if y.dtype == types.float32 else b.fptoui(args[2], ir.VectorType(element, L))
        pointer = b.bitcast(_pointer(ctx, b, y, *args[:2]), v.type.as_pointer())
        b.store(v, pointer).align = y.dtype.bitwidth // 8
        return ctx.get_dummy_value()

    return types.void(y, _position(at), vector), code


@intrinsic
def store_span(typing, y, at, v):
    def code(ctx, b, sig, args):
        pointer = b.bitcast(_pointer(ctx, b, y, *args[:2]), V.as_pointer())
        b.store(args[2], pointer).align = 4
        return ctx.get_dummy_value()

    return types.void(y, _position(at), vector), code


@intrinsic
def broadcast(typing, x, at):
    def code(ctx, b, sig, args):
        return _splat(b, b.load(_pointer(ctx, b, x, *args)))

    return vector(x, _position(at)), code


@intrinsic
def store_scalar(typing, y, at, s):
    def code(ctx, b, sig, args):
        b.store(args[2], _pointer(ctx, b, y, *args[:2]))
        return ctx.get_dummy_value()

    return types.void(y, _position(at), y.dtype), code


def _row_mask(b, at, size):
    """Return the mask of the lanes whose index, counted from at[-1], is below `size`."""
    left = b.sub(size, cgutils.unpack_tuple(b, at)[-1])
    return b.icmp_signed("<", ir.VectorType(I64, L)(list(range(L))), _splat(b, left))


@intrinsic
def load_row(typing, x, at, size, lanes):
    def code(ctx, b, sig, args):
        pointer = b.bitcast(_pointer(ctx, b, x, *args[:2]), V.as_pointer())
        return _masked_load(b, pointer, _row_mask(b, args[1], args[2]))

    return vector(x, _position(at), types.intp, types.intp), code


@intrinsic
def store_row(typing, y, at, size, v):
    def code(ctx, b, sig, args):
        pointer = b.bitcast(_pointer(ctx, b, y, *args[:2]), V.as_pointer())
        end = b.add(cgutils.unpack_tuple(b, args[1])[-1], I64(L))
        # A masked store takes 11 cycles on some CPUs, even if no lane is masked
        with b.if_else(b.icmp_signed("<=", end, args[2]), likely=True) as (whole, partial):
            with whole:
                b.store(args[3], pointer).align = 4
            with partial:
                function = ir.FunctionType(ir.VoidType(), [V, V.as_pointer(), I32, BITS])
                masked_store = cgutils.get_or_insert_function(b.module, function, f"llvm.masked.store.v{L}f32.p0")
                b.call(masked_store, [args[3], pointer, I32(4), _row_mask(b, args[1], args[2])])
        return ctx.get_dummy_value()

    return types.void(y, _position(at), types.intp, vector), code


@intrinsic
def gather(typing, x, rows, first, last, column, lanes):
    def code(ctx, b, sig, args):
        row_numbers = ctx.make_array(rows)(ctx, b, args[1]).data
        v = V(ir.Undefined)
        for lane in range(L):
            i = b.add(args[2], I64(lane))
            i = b.select(b.icmp_signed("<", i, args[3]), i, args[3])
            row = b.sext(b.load(b.gep(row_numbers, [i])), I64)
            pixel = b.load(_pointer(ctx, b, x, args[0], cgutils.pack_array(b, [row, args[4]])))
            v = b.insert_element(v, b.uitofp(pixel, F32), I32(lane))
        return v

    return vector(x, rows, *[types.intp] * 4), code


@intrinsic
def any_bit(typing, x, at, bits):
    def code(ctx, b, sig, args):
        integer_vector = ir.VectorType(ctx.get_data_type(x.dtype), L)
        numbers = b.load(b.bitcast(_pointer(ctx, b, x, *args[:2]), integer_vector.as_pointer()))
        numbers.align = x.dtype.bitwidth // 8
        wanted = _splat(b, b.trunc(args[2], integer_vector.element))
        return b.icmp_unsigned("!=", b.and_(numbers, wanted), integer_vector(None))

    return mask(x, _position(at), types.intp), code


@intrinsic
def lookup(typing, x, places, first):
    def code(ctx, b, sig, args):
        start = b.gep(ctx.make_array(x)(ctx, b, args[0]).data, [args[2]])
        numbers, v = b.fptosi(args[1], INTEGERS), V(ir.Undefined)
        for lane in range(L):
            place = b.sext(b.extract_element(numbers, I32(lane)), I64)
            v = b.insert_element(v, b.load(b.gep(start, [place])), I32(lane))
        return v

    return vector(x, vector, types.intp), code


@intrinsic
def lane_numbers(typing, lanes):
    return vector(types.intp), lambda ctx, b, sig, args: V([float(lane) for lane in range(L)])


# Arithmetic


def _splat(b, s):
    undefined = ir.VectorType(s.type, L)(ir.Undefined)
    return b.shuffle_vector(b.insert_element(undefined, s, I32(0)), undefined, INTEGERS([0] * L))


@intrinsic
def splat(typing, s):
    return vector(types.float32), lambda ctx, b, sig, args: _splat(b, args[0])


def _call(b, name, *args):
    """Call the LLVM intrinsic `name` on vectors."""
    function = ir.FunctionType(V, [V] * len(args))
    return b.call(cgutils.get_or_insert_function(b.module, function, f"llvm.{name}.v{L}f32"), args)


@intrinsic
def fma(typing, x, y, z):
    # fmuladd rounds once if the CPU has an FMA unit; without one, it is still not a slow library call
    return vector(vector, vector, vector), lambda ctx, b, sig, args: _call(b, "fmuladd", *args)


@intrinsic
def sqrt(typing, v):
    return vector(vector), lambda ctx, b, sig, args: _call(b, "sqrt", *args)


@intrinsic
def round(typing, v):
    return vector(vector), lambda ctx, b, sig, args: _call(b, "rint", *args)


@intrinsic
def floor(typing, v):
    return vector(vector), lambda ctx, b, sig, args: _call(b, "floor", *args)


@intrinsic
def exceeds(typing, x, y):
    def code(ctx, b, sig, args):
        return b.or_(b.fcmp_ordered(">", *args), b.fcmp_unordered("uno", args[0], args[0]))

    return mask(vector, vector), code


@intrinsic
def maximum(typing, x, y):
    def code(ctx, b, sig, args):
        x, y = args
        larger = b.select(b.fcmp_ordered(">", x, y), x, y)  # one instruction, which gives y if one is NaN
        return b.select(b.fcmp_unordered("uno", x, x), x, larger)  # nothing if x is a constant

    return vector(vector, vector), code


@intrinsic
def select(typing, chosen, x, y):
    return vector(mask, vector, vector), lambda ctx, b, sig, args: b.select(*args)


def _every_second(first):
    @intrinsic
    def take(typing, x, y):
        lanes = INTEGERS(list(range(first, 2 * L, 2)))
        return vector(vector, vector), lambda ctx, b, sig, args: b.shuffle_vector(*args, lanes)

    return take


evens, odds = _every_second(0), _every_second(1)


@intrinsic
def sum_lanes(typing, v):
    def code(ctx, b, sig, args):
        function = ir.FunctionType(F32, [F32, V])
        add_all = cgutils.get_or_insert_function(b.module, function, f"llvm.vector.reduce.fadd.v{L}f32")
        # "reassoc" adds pairs of lanes in a tree, always the same one, instead of one lane after the other
        return b.call(add_all, [F32(-0.0), args[0]], fastmath=("reassoc",))

    return types.float32(vector), code


@intrinsic
def transpose(typing, t):
    def code(ctx, b, sig, args):
        pointers = [b.gep(args[0], [I64(k)]) for k in range(L)]
        rows = [b.load(pointer) for pointer in pointers]
        half = L // 2
        while half:  # swap the off-diagonal quarters of smaller and smaller squares
            low = INTEGERS([j if not j & half else L + j - half for j in range(L)])
            high = INTEGERS([j + half if not j & half else L + j for j in range(L)])
            for i in (i for i in range(L) if not i & half):
                upper, lower = rows[i], rows[i + half]
                rows[i] = b.shuffle_vector(upper, lower, low)
                rows[i + half] = b.shuffle_vector(upper, lower, high)
            half //= 2
        for row, pointer in zip(rows, pointers, strict=True):
            b.store(row, pointer)
        return ctx.get_dummy_value()

    return types.void(t), code


# The bits of a float32: sign, eight of exponent with bias 127, 23 of mantissa


@intrinsic
def power_of_two(typing, n):
    def code(ctx, b, sig, args):
        biased = b.add(b.fptosi(args[0], INTEGERS), INTEGERS([127] * L))
        return b.bitcast(b.shl(biased, INTEGERS([23] * L)), V)

    return vector(vector), code


@intrinsic
def exponent(typing, v):
    def code(ctx, b, sig, args):
        biased = b.lshr(b.bitcast(args[0], INTEGERS), INTEGERS([23] * L))
        return b.sitofp(b.sub(biased, INTEGERS([126] * L)), V)

    return vector(vector), code


@intrinsic
def mantissa(typing, v):
    def code(ctx, b, sig, args):
        fraction = b.and_(b.bitcast(args[0], INTEGERS), INTEGERS([0x007FFFFF] * L))
        return b.bitcast(b.or_(fraction, INTEGERS([126 << 23] * L)), V)

    return vector(vector), code


# Operators


def _binary(symbol, operands, result, emit):
    @type_callable(symbol)
    def _type(context):
        return lambda x, y: result(operands, operands) if x is operands and y is operands else None

    @lower_builtin(symbol, operands, operands)
    def _lower(ctx, b, sig, args):
        return emit(b, *args)


_binary(operator.add, vector, vector, lambda b, x, y: b.fadd(x, y))
_binary(operator.sub, vector, vector, lambda b, x, y: b.fsub(x, y))
_binary(operator.mul, vector, vector, lambda b, x, y: b.fmul(x, y))
_binary(operator.truediv, vector, vector, lambda b, x, y: b.fdiv(x, y))
_binary(operator.gt, vector, mask, lambda b, x, y: b.fcmp_ordered(">", x, y))
_binary(operator.ge, vector, mask, lambda b, x, y: b.fcmp_ordered(">=", x, y))
_binary(operator.eq, vector, mask, lambda b, x, y: b.fcmp_ordered("==", x, y))
