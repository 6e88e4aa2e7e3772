"""Multiply-adds in registers: the kernel that measures how fast a device computes."""

from fastdigits.ops.lanes import fma, load, splat, store, tile


def chains(x, y, t, repeats, N):
    """Run `repeats` multiply-adds in each of N independent chains; stored results cannot be optimized away."""
    acc = tile(N)
    for n in range(N):
        acc[n] = load(x, (n,))
    half, one = splat(0.5), splat(1.0)  # the chains converge to 2, away from infinity and from slow subnormal numbers
    for _ in range(repeats):
        for n in range(N):
            acc[n] = fma(acc[n], half, one)
    for n in range(N):
        store(y, (t, n), acc[n])
