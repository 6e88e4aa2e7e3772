"""The interpreter of PTX computes each instruction as the PTX ISA defines it."""

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from ptx.code import Code
from ptx.opcodes import DTYPES
from ptx.probe import at, kernel, launch
from ptx.program import parse

NAN, INF = math.nan, math.inf
FLOATS = (
    NAN,
    INF,
    -INF,
    0.0,
    -0.0,
    1.0,
    -1.5,
    2.5,
    0.1,
    1e-40,
    -1.4e-45,
    3e38,
    -3e38,
    16777217.0,
    0.99999994,
    5e9,
    -5e9,
)
COUNTS = (0, 1, 5, 15, 16, 31, 32, 33, 63, 64, 65, 255, 2**31, 2**32 - 1)
REGISTERS = {"f32": "%f", "f64": "%fd", "pred": "%p"}


def integers(type_):
    """Numbers of an integer type at which something may go wrong."""
    limits = np.iinfo(DTYPES[type_])
    small = [n for n in (-33, -7, -2, -1, 0, 1, 2, 3, 7, 32, 100) if limits.min <= n <= limits.max]
    return [*small, limits.min, limits.min + 1, limits.max, limits.max - 1, limits.max // 3]


def values(type_):
    if type_ == "count":
        return COUNTS
    if type_ == "pred":
        return (0, 1)
    return FLOATS if type_[0] == "f" else integers(type_)


def register(type_, letter):
    bits = {"8": "%rs", "16": "%rs", "32": "%r", "64": "%rd"}
    return REGISTERS.get(type_, bits.get(type_[1:])) + str("abcd".index(letter) + 1)


def text_of(instruction, types, to):
    """The text of a kernel in which each thread computes one instruction; a, b, c are its operands and d the result."""
    lines, operands = [], {"d": register(to, "d")}
    for type_, letter in zip(types, "abc", strict=False):
        operands[letter] = register(type_, letter)
        stored, place = ("u8", "%rs9") if type_ == "pred" else (type_, operands[letter])
        lines += [at(letter, "%r10", DTYPES[stored].itemsize), f"ld.global.{stored} {place}, [%rd9];"]
        if type_ == "pred":
            lines += [f"setp.ne.u16 {operands[letter]}, %rs9, 0;"]
    lines += [instruction.format(**operands) + ";"]
    if to == "pred":
        lines += [f"selp.u16 %rs8, 1, 0, {operands['d']};"]
    stored, place = ("u8", "%rs8") if to == "pred" else (to, operands["d"])
    lines += [at("d", "%r10", DTYPES[stored].itemsize), f"st.global.{stored} [%rd9], {place};"]
    return kernel("\n".join(lines), [*"abc"[: len(types)], "d"])


def compute(instruction, types, to, rows=None):
    """Return rows of operands, by default all combinations, and the result of an instruction for each."""
    rows = list(product(*map(values, types))) if rows is None else rows
    types = ["u32" if type_ == "count" else type_ for type_ in types]
    blocks = -(-len(rows) // 32)
    arrays = {}
    for letter, type_, column in zip("abc", types, zip(*rows, strict=True), strict=False):
        arrays[letter] = np.zeros(32 * blocks, np.uint8 if type_ == "pred" else DTYPES[type_])
        arrays[letter][: len(rows)] = column
    arrays["d"] = np.zeros(32 * blocks, np.uint8 if to == "pred" else DTYPES[to])
    launch(text_of(instruction, types, to), arrays, 32, blocks)
    columns = [arrays[letter][: len(rows)].tolist() for letter in "abc"[: len(types)]]  # rounded to the type
    return list(zip(*columns, strict=True)), arrays["d"][: len(rows)]


def wrapped(number, type_):
    """A whole number as an integer type holds it."""
    if type_ == "pred":
        return int(bool(number))
    bits = int(type_[1:])
    number &= (1 << bits) - 1
    return number - (1 << bits) if type_[0] == "s" and number >> (bits - 1) else number


def quotient(x, y):
    return -1 if y == 0 else abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)


def inserted(bits, position, length):
    mask = ((1 << length) - 1) << position & ((1 << bits) - 1)
    return lambda x, y: (x << position) & mask | y & ~mask


INTEGERS = [  # instruction, types of the operands, type of the result, definition on whole numbers
    *((f"add.{t} {{d}}, {{a}}, {{b}}", (t, t), t, lambda x, y: x + y) for t in ("s32", "u32", "s64", "u64", "s16")),
    *((f"sub.{t} {{d}}, {{a}}, {{b}}", (t, t), t, lambda x, y: x - y) for t in ("s32", "s64", "s16")),
    *((f"mul.lo.{t} {{d}}, {{a}}, {{b}}", (t, t), t, lambda x, y: x * y) for t in ("s32", "u32", "s64", "s16")),
    *(
        (f"mul.hi.{t} {{d}}, {{a}}, {{b}}", (t, t), t, lambda x, y, bits=int(t[1:]): x * y >> bits)
        for t in ("s32", "u32", "s64", "u64")
    ),
    *(
        (f"mul.wide.{t} {{d}}, {{a}}, {{b}}", (t, t), f"{t[0]}{2 * int(t[1:])}", lambda x, y: x * y)
        for t in ("s32", "u32", "u16", "s16")
    ),
    *((f"mad.lo.{t} {{d}}, {{a}}, {{b}}, {{c}}", (t,) * 3, t, lambda x, y, z: x * y + z) for t in ("s32", "s64")),
    ("mad.wide.s32 {d}, {a}, {b}, {c}", ("s32", "s32", "s64"), "s64", lambda x, y, z: x * y + z),
    *((f"and.{t} {{d}}, {{a}}, {{b}}", (t, t), t, lambda x, y: x & y) for t in ("b16", "b32", "b64", "pred")),
    *((f"or.{t} {{d}}, {{a}}, {{b}}", (t, t), t, lambda x, y: x | y) for t in ("b16", "b32", "b64", "pred")),
    *((f"xor.{t} {{d}}, {{a}}, {{b}}", (t, t), t, lambda x, y: x ^ y) for t in ("b16", "b32", "b64", "pred")),
    *((f"not.{t} {{d}}, {{a}}", (t,), t, lambda x: ~x) for t in ("b16", "b32", "b64")),
    ("not.pred {d}, {a}", ("pred",), "pred", lambda x: not x),
    *((f"neg.{t} {{d}}, {{a}}", (t,), t, lambda x: -x) for t in ("s32", "s64")),
    *((f"abs.{t} {{d}}, {{a}}", (t,), t, abs) for t in ("s32", "s64")),
    *((f"min.{t} {{d}}, {{a}}, {{b}}", (t, t), t, min) for t in ("s32", "u32", "s64", "u64")),
    *((f"max.{t} {{d}}, {{a}}, {{b}}", (t, t), t, max) for t in ("s32", "u32", "s64", "u64")),
    *((f"div.{t} {{d}}, {{a}}, {{b}}", (t, t), t, quotient) for t in ("s32", "u32", "s64", "u64")),
    *(
        (f"rem.{t} {{d}}, {{a}}, {{b}}", (t, t), t, lambda x, y: x - quotient(x, y) * y if y else x)
        for t in ("s32", "u32", "s64", "u64")
    ),
    *((f"shl.{t} {{d}}, {{a}}, {{b}}", (t, "count"), t, lambda x, n: x << min(n, 64)) for t in ("b16", "b32", "b64")),
    *(
        (f"shr.{t} {{d}}, {{a}}, {{b}}", (t, "count"), t, lambda x, n: x >> min(n, 64))
        for t in ("u16", "s16", "u32", "s32", "u64", "s64")
    ),
    *(
        (f"bfi.{t} {{d}}, {{a}}, {{b}}, {position}, {length}", (t, t), t, inserted(int(t[1:]), position, length))
        for t, position, length in product(("b32", "b64"), (0, 1, 31, 40, 63, 70), (0, 1, 32, 63, 64))
    ),
    *(
        (f"selp.{t} {{d}}, {{a}}, {{b}}, {{c}}", (t, t, "pred"), t, lambda x, y, chosen: x if chosen else y)
        for t in ("b32", "s64")
    ),
    *((f"mov.{t} {{d}}, {{a}}", (t,), t, lambda x: x) for t in ("u16", "b32", "u64", "pred")),
    *(
        (f"cvt.{to}.{t} {{d}}, {{a}}", (t,), to, lambda x: x)
        for t, to in product(("u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"), repeat=2)
        if t != to
    ),
]  # fmt: skip
ORDER = {"eq": lambda x, y: x == y, "ne": lambda x, y: x != y, "lt": lambda x, y: x < y, "le": lambda x, y: x <= y}
ORDER |= {"gt": lambda x, y: x > y, "ge": lambda x, y: x >= y}
UNSIGNED = {"lo": ORDER["lt"], "ls": ORDER["le"], "hi": ORDER["gt"], "hs": ORDER["ge"]}
INTEGERS += [
    (f"setp.{name}.{t} {{d}}, {{a}}, {{b}}", (t, t), "pred", function)
    for types, functions in ((("s16", "u32", "s32", "u64", "s64"), ORDER), (("u32", "u64"), UNSIGNED))
    for t, (name, function) in product(types, functions.items())
]


@pytest.mark.parametrize(("instruction", "types", "to", "definition"), INTEGERS, ids=[row[0] for row in INTEGERS])
def test_integers(instruction, types, to, definition):
    rows, found = compute(instruction, types, to)
    expected = [wrapped(definition(*row), to) for row in rows]
    assert found.tolist() == expected


def least(x, y):
    return y if math.isnan(x) else x if math.isnan(y) else min((x, math.copysign(1, x)), (y, math.copysign(1, y)))[0]


def greatest(x, y):
    return -least(-x, -y)


def exact(operation):
    """The operation in float64, whose result rounded to float32 is the right one for these operations."""

    def compute_(*numbers):
        with np.errstate(all="ignore"):
            return np.float32(operation(*map(np.float64, numbers)))

    return compute_


ROUNDED = [
    ("add.f32 {d}, {a}, {b}", 2, exact(np.add)),
    ("sub.f32 {d}, {a}, {b}", 2, exact(np.subtract)),
    ("mul.f32 {d}, {a}, {b}", 2, exact(np.multiply)),
    ("div.rn.f32 {d}, {a}, {b}", 2, exact(np.divide)),
    ("rcp.rn.f32 {d}, {a}", 1, exact(np.reciprocal)),
    ("sqrt.rn.f32 {d}, {a}", 1, exact(np.sqrt)),
    ("neg.f32 {d}, {a}", 1, lambda x: -x),
    ("abs.f32 {d}, {a}", 1, abs),
    ("min.f32 {d}, {a}, {b}", 2, least),
    ("max.f32 {d}, {a}, {b}", 2, greatest),
    ("cvt.rni.f32.f32 {d}, {a}", 1, np.rint),
    ("cvt.rzi.f32.f32 {d}, {a}", 1, np.trunc),
    ("cvt.rmi.f32.f32 {d}, {a}", 1, np.floor),
    ("cvt.rpi.f32.f32 {d}, {a}", 1, np.ceil),
    ("mov.f32 {d}, {a}", 1, lambda x: x),
]


def assert_same(found, expected):
    """Assert that numbers are equal, zeros with their sign."""
    np.testing.assert_array_equal(found, expected)
    number = ~np.isnan(found)
    np.testing.assert_array_equal(np.signbit(found)[number], np.signbit(expected)[number])


@pytest.mark.parametrize(("instruction", "count", "definition"), ROUNDED, ids=[row[0] for row in ROUNDED])
def test_floats(instruction, count, definition):
    rows, found = compute(instruction, ("f32",) * count, "f32")
    assert_same(found, np.array([definition(*row) for row in rows], np.float32))


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div.rn", "min", "max"])
def test_float64(name):
    rows, found = compute(f"{name}.f64 {{d}}, {{a}}, {{b}}", ("f64", "f64"), "f64")
    functions = {
        "add": np.add,
        "sub": np.subtract,
        "mul": np.multiply,
        "div.rn": np.divide,
        "min": least,
        "max": greatest,
    }
    with np.errstate(all="ignore"):
        assert_same(found, np.array([functions[name](*map(np.float64, row)) for row in rows]))


def is_nearest(number, exact_number):
    """Whether a float32 is the nearest to an exact number, the even one of two."""
    with np.errstate(over="ignore"):
        neighbours = [float(np.nextafter(number, np.float32(way))) for way in (-INF, INF)]
    distance = abs(Fraction(float(number)) - exact_number)
    others = [abs(Fraction(other) - exact_number) for other in neighbours if math.isfinite(other)]
    even = int(number.view(np.uint32)) % 2 == 0
    return all(distance < other or (distance == other and even) for other in others)


def test_fma_rounds_once():
    rng, near_half = np.random.default_rng(0), 1 + 2.0**-12  # its square lies between two numbers
    ways = [(near_half, near_half, sign * 2.0**-n) for n in range(20, 84) for sign in (1, -1)]
    usual, tiny = rng.normal(size=(500, 3)), rng.normal(size=(100, 3)) * [1e-20, 1e-20, 1e-39]
    rows, found = compute("fma.rn.f32 {d}, {a}, {b}, {c}", ("f32",) * 3, "f32", [*ways, *usual, *tiny])
    for row, number in zip(rows, found, strict=True):
        x, y, z = map(Fraction, row)
        assert is_nearest(number, x * y + z), row


def test_fma_of_special_numbers():
    rows, found = compute("fma.rn.f32 {d}, {a}, {b}, {c}", ("f32",) * 3, "f32")
    with np.errstate(all="ignore"):
        expected = np.array([np.float32(np.float64(x) * y + z) for x, y, z in rows])
    special = ~np.isfinite(expected) | (expected == 0)
    assert_same(found[special], expected[special])


@pytest.mark.parametrize(("name", "function"), [("ex2", np.exp2), ("lg2", np.log2)])
def test_approximations(name, function):
    rows, found = compute(f"{name}.approx.f32 {{d}}, {{a}}", ("f32",), "f32")
    with np.errstate(all="ignore"):
        expected = function(np.array(rows)[:, 0]).astype(np.float32)
    np.testing.assert_allclose(found, expected, rtol=2**-22)


@pytest.mark.parametrize("name", [*ORDER, "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"])
def test_comparisons_of_floats(name):
    rows, found = compute(f"setp.{name}.f32 {{d}}, {{a}}, {{b}}", ("f32", "f32"), "pred")
    for (x, y), answer in zip(rows, found.tolist(), strict=True):
        unordered = math.isnan(x) or math.isnan(y)
        if name in ("num", "nan"):
            assert answer == (unordered == (name == "nan"))
        else:
            assert answer == ((len(name) == 3) if unordered else ORDER[name[:2]](x, y)), (x, y)


@pytest.mark.parametrize("to", ["u8", "u16", "s32", "u32", "s64", "u64"])
@pytest.mark.parametrize(
    ("mode", "rounding"), [("rzi", math.trunc), ("rni", round), ("rmi", math.floor), ("rpi", math.ceil)]
)
def test_floats_to_integers_stop_at_the_limits(to, mode, rounding):
    rows, found = compute(f"cvt.{mode}.{to}.f32 {{d}}, {{a}}", ("f32",), to)
    limits = np.iinfo(DTYPES[to])
    for (x,), number in zip(rows, found.tolist(), strict=True):
        if math.isnan(x):
            assert number == 0
        else:
            infinite = limits.max if x > 0 else limits.min
            assert number == (max(limits.min, min(limits.max, rounding(x))) if math.isfinite(x) else infinite)


@pytest.mark.parametrize("of", ["u16", "s32", "u32", "s64", "u64"])
def test_integers_to_floats_round_to_the_nearest(of):
    rows, found = compute(f"cvt.rn.f32.{of} {{d}}, {{a}}", (of,), "f32")
    for (x,), number in zip(rows, found, strict=True):
        assert is_nearest(number, Fraction(x))


def test_floats_widen_and_narrow():
    rows, found = compute("cvt.f64.f32 {d}, {a}", ("f32",), "f64")
    assert_same(found, np.array(rows)[:, 0])
    rows, found = compute("cvt.rn.f32.f64 {d}, {a}", ("f64",), "f32")
    with np.errstate(over="ignore"):
        assert_same(found, np.array(rows)[:, 0].astype(np.float32))


def test_bits_move_between_registers_of_floats_and_integers():
    text = text_of("mov.b32 {d}, {a}", ("f32",), "b32")
    arrays = {"a": np.array(FLOATS[:16] * 2, np.float32), "d": np.zeros(32, np.uint32)}
    launch(text, arrays)
    assert arrays["d"].tolist() == arrays["a"].view(np.uint32).tolist()


@pytest.mark.parametrize(
    ("way", "clamp", "source"),
    [
        ("bfly", 31, lambda lane, by: lane ^ by),
        ("down", 31, lambda lane, by: lane + by if lane + by < 32 else lane),
        ("up", 0, lambda lane, by: lane - by if lane >= by else lane),
        ("idx", 31, lambda lane, by: by),
        ("down", 0x181F, lambda lane, by: lane + by if lane % 8 + by < 8 else lane),  # segments of 8 lanes
    ],
)
@pytest.mark.parametrize("by", [0, 1, 5, 16])
def test_shuffles(way, clamp, source, by):
    body = f"shfl.sync.{way}.b32 %r1|%p1, %r10, {by}, {clamp}, -1; {at('y', '%r10')} st.global.u32 [%rd9], %r1;"
    y = np.zeros(64, np.uint32)
    launch(kernel(body, ["y"]), {"y": y}, 64)
    assert y.tolist() == [32 * warp + source(lane, by) for warp in range(2) for lane in range(32)]


def test_threads_that_part_meet_again():
    """Each thread runs a loop as often as its number says, but multiples of three skip it."""
    body = f"""
        mov.u32 %r1, 0;
        mov.u32 %r2, 0;
        rem.u32 %r3, %r10, 3;
        setp.eq.u32 %p1, %r3, 0;
        @%p1 bra $skip;
        $loop:
        add.u32 %r1, %r1, %r2;
        add.u32 %r2, %r2, 1;
        setp.lt.u32 %p2, %r2, %r10;
        @%p2 bra $loop;
        $skip:
        bar.sync 0;
        @!%p1 add.u32 %r1, %r1, 1000;
        {at("y", "%r10")}
        st.global.u32 [%rd9], %r1;"""
    y = np.zeros(96, np.uint32)
    launch(kernel(body, ["y"]), {"y": y}, 96)
    assert y.tolist() == [0 if n % 3 == 0 else sum(range(n)) + 1000 for n in range(96)]


def test_unknown_instructions_are_refused():
    for instruction in ("add.sat.s32 %r1, %r1, %r2", "fma.rn.ftz.f32 %f1, %f1, %f1, %f1", "popc.b32 %r1, %r2"):
        with pytest.raises(NotImplementedError, match=instruction[:6]):
            Code(parse(kernel(f"{instruction};")))
