"""The arithmetic of PTX in NumPy, as the PTX ISA defines it: https://docs.nvidia.com/cuda/parallel-thread-execution.

A value is an array with one number for each thread, or a NumPy scalar that all threads share. What PTX leaves open is
as GPUs do it: a division of integers by zero gives a number whose bits are all set.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from ptx.program import Instruction

KINDS = {"u": "uint", "s": "int", "b": "uint", "f": "float"}
DTYPES = {f"{letter}{bits}": np.dtype(f"{KINDS[letter]}{bits}") for letter in "usb" for bits in (8, 16, 32, 64)}
DTYPES |= {f"f{bits}": np.dtype(f"float{bits}") for bits in (32, 64)} | {"pred": np.dtype(bool)}

Arithmetic = tuple[Callable, tuple[str, ...], str]  # the function, the types of its operands and of its result


def arithmetic(instruction: Instruction) -> Arithmetic:
    """Return what an instruction computes.

    Raises
    ------
    NotImplementedError
        If the instruction has a word that this module does not know.
    """
    type_ = instruction.type
    opcode, *words = instruction.words[:-1] if type_ in DTYPES else instruction.words
    found = _arithmetic(opcode, words, type_)
    if not found:
        raise NotImplementedError(f"line {instruction.line}: {instruction.text}")
    return found


def _arithmetic(opcode: str, words: list[str], type_: str) -> Arithmetic | None:
    floating = type_[0] == "f"
    match opcode, words:
        case ("mov", []) | ("cvta", ["to", "global"]):
            return (lambda x: x), (type_,), type_
        case "cvt", [*rounding, to] if to in DTYPES and len(rounding) < 2:
            return partial(_convert, rounding, DTYPES[to]), (type_,), to
        case ("selp", []):
            return _select, (type_, type_, "pred"), type_
        case "setp", [comparison] if comparison in COMPARISONS:
            return COMPARISONS[comparison], (type_, type_), "pred"
        case (("shl" | "shr" as way), []):
            return partial(_shift, way == "shl"), (type_, "u32"), type_
        case "bfi", []:
            return _insert_bits, (type_, type_, "u32", "u32"), type_
        case (("mul" | "mad"), ["wide"]):
            wide = f"{type_[0]}{2 * int(type_[1:])}"
            product = partial(np.multiply, dtype=DTYPES[wide])
            return _with_addend(product, opcode, type_, wide)
        case (("mul" | "mad"), [("lo" | "hi") as half]) if not floating:
            return _with_addend(np.multiply if half == "lo" else _high_half, opcode, type_, type_)
        case "fma", ["rn"] if floating:
            return (fma32 if type_ == "f32" else _fma64), (type_,) * 3, type_
        case "div", [] if not floating:
            return _divide, (type_, type_), type_
        case "rem", [] if not floating:
            return _remainder, (type_, type_), type_
        case (("min" | "max"), []):
            return _extremum(opcode, floating), (type_, type_), type_
        case _ if opcode in FUNCTIONS and words in ([], ["rn"] if floating else []):
            function = FUNCTIONS[opcode]
            return function, (type_,) * function.nin, type_
        case (("div" | "rcp" | "sqrt" | "ex2" | "lg2"), ["rn" | "approx"]) if floating:
            function = ROUNDED[opcode]
            return function, (type_,) * (2 if opcode == "div" else 1), type_
    return None


FUNCTIONS = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "not": np.invert,
    "neg": np.negative,
    "abs": np.absolute,
}
ROUNDED = {"div": np.divide, "rcp": np.reciprocal, "sqrt": np.sqrt, "ex2": np.exp2, "lg2": np.log2}


def _is_nan(x, y):
    return np.isnan(x) | np.isnan(y)


COMPARISONS = {
    "eq": np.equal,
    "ne": lambda x, y: (x < y) | (x > y),  # false if one is NaN
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "equ": lambda x, y: ~((x < y) | (x > y)),  # those with u are true if one is NaN
    "neu": np.not_equal,
    "ltu": lambda x, y: ~(x >= y),
    "leu": lambda x, y: ~(x > y),
    "gtu": lambda x, y: ~(x <= y),
    "geu": lambda x, y: ~(x < y),
    "num": lambda x, y: ~_is_nan(x, y),
    "nan": _is_nan,
}
COMPARISONS |= {"lo": np.less, "ls": np.less_equal, "hi": np.greater, "hs": np.greater_equal}  # of unsigned numbers


def _select(x, y, chosen):
    return np.where(chosen, x, y)[()]


def _with_addend(product: Callable, opcode: str, type_: str, wide: str) -> Arithmetic:
    if opcode == "mul":
        return product, (type_, type_), wide
    return (lambda x, y, z: product(x, y) + z), (type_, type_, wide), wide


def _high_half(x, y):
    """Return the upper half of the product of two integers."""
    bits, signed = 8 * x.dtype.itemsize, x.dtype.kind == "i"
    if bits < 64:
        return (x.astype("i8" if signed else "u8") * y >> bits).astype(x.dtype)
    unsigned, low, half = np.uint64, np.uint64(0xFFFFFFFF), np.uint64(32)
    a, b = x.view(unsigned), y.view(unsigned)
    a0, a1, b0, b1 = a & low, a >> half, b & low, b >> half
    middle = a1 * b0 + (a0 * b0 >> half)
    high = a1 * b1 + (middle >> half) + ((middle & low) + a0 * b1 >> half)
    if signed:  # a negative number counts 2^64 too much
        high = high - np.where(x < 0, b, unsigned(0)) - np.where(y < 0, a, unsigned(0))
    return high.view(x.dtype)


def fma32(x, y, z):
    """Return x * y + z in float32, rounded once."""
    product = np.multiply(x, y, dtype=np.float64)  # exact
    total = np.add(product, z, dtype=np.float64)
    result = total.astype(np.float32)
    half_way = (total.view(np.uint64) & np.uint64(0x1FFFFFFF)) == np.uint64(0x10000000)
    doubtful = half_way | (np.abs(total) < np.float64(1.2e-38))  # rounding twice may differ from rounding once
    if not doubtful.any():
        return result
    z = np.float64(z)
    part = total - product
    error = (product - (total - part)) + (z - part)
    even = (total.view(np.uint64) & np.uint64(1)) == 0
    towards = np.where(error > 0, np.inf, -np.inf)
    odd = np.where((error != 0) & even & np.isfinite(total), np.nextafter(total, towards), total)
    return np.where(doubtful, odd.astype(np.float32), result)[()]


def _fma64(x, y, z):
    """Return x * y + z in float64; the product is rounded to the 64 bits of the mantissa of long double first."""
    return (x.astype(np.longdouble) * y + z).astype(np.float64)


def _divide(x, y):
    quotient = x // y
    if x.dtype.kind == "i":  # towards zero
        quotient = quotient + ((quotient * y != x) & ((x < 0) != (y < 0)))
    return np.where(y == 0, ~x.dtype.type(0), quotient)[()].astype(x.dtype)


def _remainder(x, y):
    return np.where(y == 0, x, np.fmod(x, y))[()]


def _extremum(opcode: str, floating: bool) -> Callable:
    """Return the function for min or max. That of a number and NaN is the number, and -0 is less than +0."""
    if not floating:
        return np.minimum if opcode == "min" else np.maximum
    choose, combine = (np.fmin, np.bitwise_or) if opcode == "min" else (np.fmax, np.bitwise_and)

    def extremum(x, y):
        bits = f"u{x.dtype.itemsize}"
        return np.where(x == y, combine(x.view(bits), y.view(bits)).view(x.dtype), choose(x, y))[()]

    return extremum


def _shift(left: bool, x, count):
    """Shift by `count` bits. More than there are give 0, or the sign if x is signed and shifted to the right."""
    bits = 8 * x.dtype.itemsize
    by = np.minimum(count, np.uint32(bits - 1)).astype(x.dtype)
    shifted = np.left_shift(x, by) if left else np.right_shift(x, by)
    if not left and x.dtype.kind == "i":
        return shifted
    return np.where(count >= bits, x.dtype.type(0), shifted)[()]


def _insert_bits(x, y, position, length):
    """Return y with the lowest `length` bits of x at `position`."""
    ones = ~_shift(True, ~y.dtype.type(0), length & np.uint32(0xFF))
    position = position & np.uint32(0xFF)
    mask = _shift(True, ones, position)
    return (_shift(True, x, position) & mask) | (y & ~mask)


ROUNDINGS = {"ni": np.rint, "zi": np.trunc, "mi": np.floor, "pi": np.ceil}  # after the letter r


def _convert(rounding: list[str], to: np.dtype, x):
    """Convert numbers. Integers wrap; a float that no integer can hold gives the nearest one, and NaN gives 0."""
    rounded = ROUNDINGS[rounding[0][1:]](x) if rounding and rounding[0] != "rn" else x
    if x.dtype.kind != "f" or to.kind == "f":
        return rounded.astype(to)
    limits, rounded = np.iinfo(to), np.nan_to_num(rounded.astype(np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf)
    least, most = to.type(limits.min), to.type(limits.max)
    within = np.where(rounded <= float(least), least, rounded.astype(to))
    return np.where(rounded >= float(most), most, within)[()]
