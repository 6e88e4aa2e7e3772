"""What share of the machine each operation of a network reaches: python scripts/bench_ops.py [--model lenet].

Times every layer forwards and backwards on random images, beside the rate of multiply-adds on
registers alone, which is all that the cores can do, and the rate at which memory can be read and written.
Each figure is the median of many runs.
"""

from statistics import median
from time import perf_counter

import click
import numpy as np

from fastdigits import ops
from fastdigits.models import layers_of
from fastdigits.nn import Network
from fastdigits.ops.array import blocks


def seconds(runs: int, work, *arguments) -> float:
    """The median time of a call; the first, which may compile, does not count."""
    work(*arguments)
    times = []
    for _ in range(runs):
        start = perf_counter()
        work(*arguments)
        times.append(perf_counter() - start)
    return median(times)


def peak_flops(cpu) -> float:
    """Floating-point operations per second of a dense layer whose operands stay in the first-level cache."""
    x, y = cpu.zeros((64, 64, cpu.lanes)), cpu.zeros((64, 240, cpu.lanes))
    weight, bias = cpu.zeros((240, 64)), cpu.zeros((240,))
    return 2 * 64 * 64 * cpu.lanes * 240 / seconds(200, cpu.dense_forward, x, weight, bias, y)


def layer_rows(network: Network, batch: int, runs: int):
    """(layer, pass, seconds, floating-point operations, bytes of its arrays) for each layer and pass."""
    shape = blocks(batch, network.ops.lanes), *network.input_shape, network.ops.lanes
    x = network.ops.upload(np.random.default_rng(0).standard_normal(shape).astype(np.float32))
    for number, layer in enumerate(network.steps):
        name = "+".join(type(part).__name__.lower() for part in getattr(layer, "parts", [layer]))
        y = layer.forward(x)
        dy = network.ops.upload(np.random.default_rng(1).standard_normal(y.shape).astype(np.float32))
        flops, moved = 2 * batch * layer.multiply_adds(), x.nbytes + y.nbytes
        deeper = number > network.first_learning
        if type(layer).__name__ != "Flatten":
            yield name, "forward", seconds(runs, layer.forward, x), flops, moved
            if layer.parameters or deeper:
                backward_s = seconds(runs, layer.backward, dy, deeper)
                yield name, "backward", backward_s, flops * (1 + deeper), moved + x.nbytes
        x = network.ops.upload(y)


@click.command()
@click.option("--model", default="cnn", show_default=True)
@click.option("--batch-size", default=128, show_default=True)
@click.option("--runs", default=50, show_default=True)
@click.option("--fuse/--no-fuse", default=True)
def main(model: str, batch_size: int, runs: int, fuse: bool) -> None:
    """Print a table of the operations of a network."""
    cpu = ops.load("cpu")
    network = Network(layers_of(model))
    network.build(cpu, batch_size, fused=fuse)
    network.initialise(0)
    peak = peak_flops(cpu)
    click.echo(f"{model}, batch {batch_size}, {cpu.lanes} lanes; peak {peak / 1e9:.0f} GFLOP/s")
    click.echo(f"{'layer':24}{'pass':10}{'us':>8}{'GFLOP/s':>10}{'of peak':>9}{'GB/s':>7}")
    total_s = total_flops = 0.0
    for name, part, time_s, flops, moved in layer_rows(network, batch_size, runs):
        total_s, total_flops = total_s + time_s, total_flops + flops
        rate = f"{flops / time_s / 1e9:10.0f}{flops / time_s / peak:9.0%}" if flops else f"{'':19}"
        click.echo(f"{name:24}{part:10}{time_s * 1e6:8.0f}{rate}{moved / time_s / 1e9:7.0f}")
    share = total_flops / total_s / peak
    click.echo(f"{'all':34}{total_s * 1e6:8.0f}{total_flops / total_s / 1e9:10.0f}{share:9.0%}")


if __name__ == "__main__":
    main()
