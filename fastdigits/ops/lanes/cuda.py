"""Lane functions of CUDA: a lane is one of the L = 32 threads of a warp, and a vector is one float32 per thread.

Each function does for one thread what the function of the same name in __init__.py does for all lanes. All sizes of an
array except the first are compiled in, so that loops unroll and an address is one register plus constants. The indices
of vectors have 32 bits to save registers, so an array must have fewer than 2^31 elements.
"""

import operator
from math import prod

import numpy as np
from llvmlite import ir
from numba import cuda
from numba.cuda import cgutils, libdevice, types
from numba.cuda.extending import (
    _intrinsic,
    intrinsic,
    lower_builtin,
    models,
    overload,
    overload_attribute,
    register_model,
)

LANES, WARPS = 32, 4
WARP = 0xFFFFFFFF  # the mask of all threads of a warp
SHARED_MEMORY = 3  # the number of its address space
I32, I64, F32 = ir.IntType(32), ir.IntType(64), ir.FloatType()


class Array(types.Type):
    """A C-contiguous device array; all sizes except the first are constants."""

    def __init__(self, dtype, inner):
        self.dtype, self.children = dtype, inner
        super().__init__(name=f"{dtype}(:, {inner})")


class Tile(types.Type):
    """An array of numbers in the registers of one thread, with a constant shape."""

    def __init__(self, shape):
        self.shape = shape
        super().__init__(name=f"thread_tile{shape}")


@register_model(Array)
class _ArrayModel(models.StructModel):
    def __init__(self, manager, type_):
        super().__init__(manager, type_, [("data", types.CPointer(type_.dtype)), ("length", types.int32)])


@register_model(Tile)
class _TileModel(models.PrimitiveModel):
    def __init__(self, manager, type_):
        super().__init__(manager, type_, F32.as_pointer())


def kernel_type(dtype, inner):
    """Return the type of a kernel argument: an array with the sizes `inner` after the first, or a number if None."""
    number = getattr(types, np.dtype(dtype).name)
    return number if inner is None else Array(number, inner)


def compile_kernel(kernel, inline=True):
    """Return a bound kernel as a device function; it is always inlined, because it may take a tile."""
    return cuda.jit(device=True, forceinline=True)(kernel)


def _position(at):
    return types.UniTuple(types.intp, len(at))


# Tiles


@_intrinsic(target="cuda", prefer_literal=True)
def tile(typing, *shape):
    shape = shape[0] if isinstance(shape[0], types.BaseTuple) else shape
    if not all(isinstance(n, types.IntegerLiteral) for n in shape):
        return None
    t = Tile(tuple(n.literal_value for n in shape))
    return t(types.StarArgTuple(shape)), lambda ctx, b, sig, args: cgutils.alloca_once(b, F32, size=I64(prod(t.shape)))


def _element(b, t, numbers, at):
    offset = I64(0)
    for size, i in zip(t.shape, at, strict=True):
        offset = b.add(b.mul(offset, I64(size)), i)
    return b.gep(numbers, [offset])


@intrinsic
def _get(typing, t, at):
    def code(ctx, b, sig, args):
        return b.load(_element(b, t, args[0], cgutils.unpack_tuple(b, args[1])))

    return types.float32(t, _position(at)), code


@intrinsic
def _set(typing, t, at, v):
    def code(ctx, b, sig, args):
        b.store(args[2], _element(b, t, args[0], cgutils.unpack_tuple(b, args[1])))
        return ctx.get_dummy_value()

    return types.void(t, _position(at), types.float32), code


# Loops


class Counter(types.SimpleIteratorType):
    """The iterator of `counted`. It holds the address of the next number, and the end and the step."""


COUNTER = Counter("counter", types.intp)


@register_model(Counter)
class _CounterModel(models.StructModel):
    def __init__(self, manager, type_):
        members = [("next", types.CPointer(types.intp)), ("stop", types.intp), ("step", types.intp)]
        super().__init__(manager, type_, members)


@_intrinsic(target="cuda")
def counted(typing, *bounds):
    """Iterate like Python's range.

    The iterator of Numba changes its numbers only if something is left. That hides from the compiler how often a loop
    runs, so that it unrolls less and computes four more numbers in each step.
    """
    bounds = bounds[0] if isinstance(bounds[0], types.BaseTuple) else bounds
    if not all(isinstance(bound, types.Integer) for bound in bounds):
        return None

    def code(ctx, b, sig, args):
        numbers = zip(cgutils.unpack_tuple(b, args[0]), bounds, strict=True)
        numbers = [ctx.cast(b, number, type_, types.intp) for number, type_ in numbers]
        start, stop, step = numbers if len(numbers) == 3 else [I64(0), *numbers, I64(1)][-3:]
        counter = cgutils.create_struct_proxy(COUNTER)(ctx, b)
        counter.next, counter.stop, counter.step = cgutils.alloca_once(b, I64), stop, step
        b.store(start, counter.next)
        return counter._getvalue()

    return COUNTER(types.StarArgTuple(bounds)), code


@lower_builtin("iternext", Counter)
def _next_number(ctx, b, sig, args):
    counter = cgutils.create_struct_proxy(COUNTER)(ctx, b, args[0])
    number, stop = b.load(counter.next), counter.stop
    b.store(b.add(number, counter.step, flags=("nsw",)), counter.next)
    ascends = b.icmp_signed(">", counter.step, I64(0))
    found = ctx.make_helper(b, sig.return_type)
    found.first = number
    found.second = b.select(ascends, b.icmp_signed("<", number, stop), b.icmp_signed(">", number, stop))
    return found._getvalue()


REPLACED = {"range": "counted"}  # builtin functions, by those that replace them


# Memory


@_intrinsic(target="cuda", prefer_literal=True)
def shared_array(typing, *shape):
    """Return an array of float32 in the memory of the block, which begins at a multiple of 16 bytes."""
    shape = shape[0] if isinstance(shape[0], types.BaseTuple) else shape
    if not all(isinstance(n, types.IntegerLiteral) for n in shape):
        return None
    length, *inner = (n.literal_value for n in shape)
    array, type_ = Array(types.float32, tuple(inner)), ir.ArrayType(F32, length * prod(inner))

    def code(ctx, b, sig, args):
        name = f"shared_array_{len(b.module.globals)}"  # llvmlite would put a dot in it, which NVVM refuses
        numbers = cgutils.add_global_variable(b.module, type_, name, addrspace=SHARED_MEMORY)
        numbers.align, numbers.initializer = 16, ir.Constant(type_, ir.Undefined)
        proxy = cgutils.create_struct_proxy(array)(ctx, b)
        proxy.data = b.addrspacecast(b.gep(numbers, [I32(0), I32(0)]), F32.as_pointer())
        proxy.length = I32(length)
        return proxy._getvalue()

    return array(types.StarArgTuple(shape)), code


def _lane(b):
    function = ir.FunctionType(I32, [])
    return b.call(cgutils.get_or_insert_function(b.module, function, "llvm.nvvm.read.ptx.sreg.tid.x"), [])


def _pointer(ctx, b, array_type, array, at, lane=None):
    """Return the address of x[at], or of x[at, 0] if `at` omits the last axis, plus `lane`.

    It is computed in 32 bits if there is a lane. Otherwise 64 bits, which indices have anyway, save instructions.
    """
    at, sizes = cgutils.unpack_tuple(b, at), array_type.children
    if lane:
        at = [b.trunc(i, I32) for i in at]
    offset, number = at[0], at[0].type
    for size, i in zip(sizes, at[1:], strict=False):
        offset = b.add(b.mul(offset, number(size), flags=("nsw",)), i, flags=("nsw",))
    if len(at) <= len(sizes):
        offset = b.mul(offset, number(LANES), flags=("nsw",))
    if lane:
        offset = b.sext(b.add(offset, lane, flags=("nsw",)), I64)
    return b.gep(b.extract_value(array, 0), [offset])


def _sizes(b, array_type, array):
    length = b.sext(b.extract_value(array, 1), I64)
    return cgutils.pack_array(b, [length, *map(I64, array_type.children)])


@intrinsic
def _shape(typing, x):
    return types.UniTuple(types.intp, 1 + len(x.children))(x), lambda ctx, b, sig, args: _sizes(b, x, args[0])


@overload_attribute(Array, "shape", target="cuda")
def _array_shape(x):
    return lambda x: _shape(x)


@overload(len)
def _array_len(x):
    return (lambda x: _shape(x)[0]) if isinstance(x, Array) else None


def _as_float(b, number, element):
    if element == types.float32:
        return number
    return b.sitofp(number, F32) if element.signed else b.uitofp(number, F32)


def _load_where(b, inside, read):
    """Return what read() loads, or 0 without reading if not `inside`."""
    zero = b.block
    with b.if_then(inside):
        number, loaded = read(), b.block
    result = b.phi(F32)
    result.add_incoming(F32(0), zero)
    result.add_incoming(number, loaded)
    return result


@intrinsic
def load(typing, x, at):
    def code(ctx, b, sig, args):
        return _as_float(b, b.load(_pointer(ctx, b, x, *args, lane=_lane(b))), x.dtype)

    return types.float32(x, _position(at)), code


@intrinsic
def load_inside(typing, x, at, size):
    def code(ctx, b, sig, args):
        last = b.trunc(cgutils.unpack_tuple(b, args[1])[-1], I32)
        inside = b.icmp_unsigned("<", last, b.trunc(args[2], I32))
        return _load_where(b, inside, lambda: b.load(_pointer(ctx, b, x, *args[:2], _lane(b))))

    return types.float32(x, _position(at), types.intp), code


@intrinsic
def broadcast(typing, x, at):
    return x.dtype(x, _position(at)), lambda ctx, b, sig, args: b.load(_pointer(ctx, b, x, *args))


@intrinsic
def broadcast_row(typing, x, at, t, n):
    columns = t.shape[1]
    together = 4 if x.children[-1] % 4 == 0 and columns % 4 == 0 else 1  # else rows are not aligned to 16 bytes

    def code(ctx, b, sig, args):
        first = _pointer(ctx, b, x, *args[:2])
        several = ir.VectorType(F32, together).as_pointer()
        for m in range(0, columns, together):
            numbers = b.load(b.bitcast(b.gep(first, [I64(m)]), several), align=4 * together)
            for k in range(together):
                b.store(b.extract_element(numbers, I32(k)), _element(b, t, args[2], [args[3], I64(m + k)]))
        return ctx.get_dummy_value()

    return types.void(x, _position(at), t, types.intp), code


def _before(b, at, size):
    """Return whether the index of this lane, counted from at[-1], is below `size`."""
    last = b.trunc(cgutils.unpack_tuple(b, at)[-1], I32)
    return b.icmp_signed("<", b.add(last, _lane(b)), b.trunc(size, I32))


@intrinsic
def load_row(typing, x, at, size, lanes):
    def code(ctx, b, sig, args):
        read = lambda: b.load(_pointer(ctx, b, x, *args[:2], lane=_lane(b)))  # noqa: E731
        return _load_where(b, _before(b, args[1], args[2]), read)

    return types.float32(x, _position(at), types.intp, types.intp), code


@intrinsic
def store(typing, y, at, v):
    def code(ctx, b, sig, args):
        element = ctx.get_data_type(y.dtype)
        v = args[2] if y.dtype == types.float32 else b.fptoui(args[2], element)
        b.store(v, _pointer(ctx, b, y, *args[:2], lane=_lane(b)))
        return ctx.get_dummy_value()

    return types.void(y, _position(at), types.float32), code


@intrinsic
def store_row(typing, y, at, size, v):
    def code(ctx, b, sig, args):
        with b.if_then(_before(b, args[1], args[2])):
            b.store(args[3], _pointer(ctx, b, y, *args[:2], lane=_lane(b)))
        return ctx.get_dummy_value()

    return types.void(y, _position(at), types.intp, types.float32), code


@intrinsic
def store_scalar(typing, y, at, s):
    def code(ctx, b, sig, args):  # every thread stores the same number, so that every thread can read it back
        b.store(args[2], _pointer(ctx, b, y, *args[:2]))
        return ctx.get_dummy_value()

    return types.void(y, _position(at), y.dtype), code


@intrinsic
def gather(typing, x, rows, first, last, column, lanes):
    def code(ctx, b, sig, args):
        first, last, column = (b.trunc(i, I32) for i in args[2:5])
        i = b.add(first, _lane(b))
        i = b.select(b.icmp_signed("<", i, last), i, last)
        row = b.load(b.gep(b.extract_value(args[1], 0), [b.sext(i, I64)]))
        at = cgutils.pack_array(b, [b.sext(row, I64), args[4]])
        return b.uitofp(b.load(_pointer(ctx, b, x, args[0], at)), F32)

    return types.float32(x, rows, *[types.intp] * 4), code


@intrinsic
def any_bit(typing, x, at, bits):
    def code(ctx, b, sig, args):
        number = b.load(_pointer(ctx, b, x, *args[:2], lane=_lane(b)))
        if x.dtype == types.float32:  # only in a branch that is never taken
            return ir.Constant(ir.IntType(1), 0)
        return b.icmp_unsigned("!=", b.and_(number, b.trunc(args[2], number.type)), number.type(0))

    return types.boolean(x, _position(at), types.intp), code


@intrinsic
def lookup(typing, x, places, first):
    def code(ctx, b, sig, args):
        place = b.add(b.fptosi(args[1], I32), b.trunc(args[2], I32))
        return b.load(b.gep(b.extract_value(args[0], 0), [b.sext(place, I64)]))

    return types.float32(x, types.float32, types.intp), code


@cuda.jit(device=True, forceinline=True)
def warp_number():
    """Return the number of this warp along the first axis of the grid."""
    return cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y


@intrinsic
def lane_numbers(typing, lanes):
    return types.float32(types.intp), lambda ctx, b, sig, args: b.uitofp(_lane(b), F32)


# Indexing of tiles and arrays


@overload(operator.getitem)
def _getitem(x, at):
    if not isinstance(x, Tile | Array):
        return None
    get = _get if isinstance(x, Tile) else broadcast
    return (lambda x, at: get(x, at)) if isinstance(at, types.BaseTuple) else (lambda x, at: get(x, (at,)))


@overload(operator.setitem)
def _setitem(x, at, v):
    if not isinstance(x, Tile | Array):
        return None
    set_ = _set if isinstance(x, Tile) else store_scalar
    return (
        (lambda x, at, v: set_(x, at, v)) if isinstance(at, types.BaseTuple) else (lambda x, at, v: set_(x, (at,), v))
    )


# Arithmetic

fma, sqrt, round, floor = libdevice.fmaf, libdevice.fsqrt_rn, libdevice.rintf, libdevice.floorf


@intrinsic
def splat(typing, s):
    return types.float32(types.float32), lambda ctx, b, sig, args: args[0]


@intrinsic
def exceeds(typing, x, y):
    def code(ctx, b, sig, args):
        return b.or_(b.fcmp_ordered(">", *args), b.fcmp_unordered("uno", args[0], args[0]))

    return types.boolean(types.float32, types.float32), code


@intrinsic
def maximum(typing, x, y):
    def code(ctx, b, sig, args):
        x, y = args
        larger = b.select(b.fcmp_ordered(">", x, y), x, y)
        return b.select(b.fcmp_unordered("uno", x, x), x, larger)  # nothing if x is a constant

    return types.float32(types.float32, types.float32), code


@intrinsic
def select(typing, chosen, x, y):
    return types.float32(types.boolean, types.float32, types.float32), lambda ctx, b, sig, args: b.select(*args)


@cuda.jit(device=True, forceinline=True)
def sum_lanes(v):
    """Return the sum over all lanes; the order of the additions gives every thread the same bits."""
    for distance in (16, 8, 4, 2, 1):
        v += cuda.shfl_xor_sync(WARP, v, distance)
    return v


@intrinsic
def store_sums(typing, y, at, t):
    N, M = t.shape

    def code(ctx, b, sig, args):
        *outer, i, k = cgutils.unpack_tuple(b, args[1])
        *_, rows, columns = cgutils.unpack_tuple(b, _sizes(b, y, args[0]))
        for start in range(0, N * M, LANES):
            sum_ = _sums_by_lane(b, [b.load(b.gep(args[2], [I64(q)])) for q in range(start, min(start + LANES, N * M))])
            q = b.add(b.zext(_lane(b), I64), I64(start))
            row, column = b.add(i, b.udiv(q, I64(M))), b.add(k, b.urem(q, I64(M)))
            inside = b.and_(b.icmp_signed("<", row, rows), b.icmp_signed("<", column, columns))
            with b.if_then(b.and_(inside, b.icmp_unsigned("<", q, I64(N * M)))):
                b.store(sum_, _pointer(ctx, b, y, args[0], cgutils.pack_array(b, [*outer, row, column])))
        return ctx.get_dummy_value()

    return types.void(y, _position(at), t), code


def _sums_by_lane(b, numbers):
    """Return in lane k the sum over all lanes of numbers[k]. 32 numbers take 31 exchanges, and fewer take fewer."""
    lane, count = _lane(b), 1 << (len(numbers) - 1).bit_length()
    numbers, half = numbers + [F32(0)] * (count - len(numbers)), count // 2
    while half:  # each lane keeps half of the numbers and adds those of another lane
        upper = b.icmp_unsigned("!=", b.and_(lane, I32(half)), I32(0))
        pairs = zip(numbers[:half], numbers[half:], strict=True)
        numbers = [b.fadd(b.select(upper, h, l), _exchange(b, b.select(upper, l, h), half)) for l, h in pairs]
        half //= 2
    [sum_] = numbers
    while count < LANES:  # lanes whose indices differ by a multiple of count have the same number
        sum_ = b.fadd(sum_, _exchange(b, sum_, count))
        count *= 2
    return sum_


def _exchange(b, number, distance):
    """Return the number of the lane whose index differs in the bit `distance`."""
    function = ir.FunctionType(ir.LiteralStructType((I32, ir.IntType(1))), [I32] * 5)
    shuffle = cgutils.get_or_insert_function(b.module, function, "llvm.nvvm.shfl.sync.i32")
    by_xor, whole_warp = I32(3), I32(31)
    shuffled = b.call(shuffle, [I32(WARP), by_xor, b.bitcast(number, I32), I32(distance), whole_warp])
    return b.bitcast(b.extract_value(shuffled, 0), F32)


@cuda.jit(device=True, forceinline=True)
def sum_block(v, sums, WARPS):
    """Return the sum over all threads of a block of WARPS warps; `sums` is in shared memory, a number per warp."""
    warp_sum = sum_lanes(v)
    if cuda.threadIdx.x == 0:
        sums[cuda.threadIdx.y] = warp_sum
    cuda.syncthreads()
    total = types.float32(0)
    for warp in counted(WARPS):
        total += sums[warp]
    return total


# The bits of a float32: sign, eight of exponent with bias 127, 23 of mantissa


@intrinsic
def power_of_two(typing, n):
    def code(ctx, b, sig, args):
        return b.bitcast(b.shl(b.add(b.fptosi(args[0], I32), I32(127)), I32(23)), F32)

    return types.float32(types.float32), code


@intrinsic
def exponent(typing, v):
    def code(ctx, b, sig, args):
        biased = b.lshr(b.bitcast(args[0], I32), I32(23))
        return b.sitofp(b.sub(biased, I32(126)), F32)

    return types.float32(types.float32), code


@intrinsic
def mantissa(typing, v):
    def code(ctx, b, sig, args):
        fraction = b.and_(b.bitcast(args[0], I32), I32(0x007FFFFF))
        return b.bitcast(b.or_(fraction, I32(126 << 23)), F32)

    return types.float32(types.float32), code
