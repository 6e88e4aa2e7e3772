"""Operations on one vector of lanes, written once for every device. x, y are (V, L)."""

from fastdigits.ops.lanes import load, splat, store


def add(a, b, y, v):
    store(y, (v,), load(a, (v,)) + load(b, (v,)))


def dropout(x, mask, rate, y, v):
    store(y, (v,), load(mask, (v,)) * load(x, (v,)) * splat(1 / (1 - rate)))
