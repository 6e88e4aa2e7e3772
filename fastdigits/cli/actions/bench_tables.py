"""The tables that `fastdigits bench` prints."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from fastdigits.bench.comparison import Row
from fastdigits.bench.gpu import Gpu
from fastdigits.bench.machine import Machine
from fastdigits.bench.operations import Operation
from fastdigits.bench.report import Change, Report
from fastdigits.bench.time_to_accuracy import TimeToAccuracy
from fastdigits.bench.workload import TRAINING
from fastdigits.data.model_results import load_speed_results

COMPARISON = "mode", "model", "batch_size", "rival"  # a documented ratio


def as_text(report: Report) -> str:
    """Describe the machine, followed by a table for each part of the benchmark."""
    parts = [_machine(report.machine) + (f"\n{_gpu(report.gpu)}" if report.gpu else "")]
    for mode, batch_size in sorted({(row.mode, row.batch_size) for row in report.rows}, key=_place):
        rows = [row for row in report.rows if (row.mode, row.batch_size) == (mode, batch_size)]
        parts.append(_race(report, mode, rows))
    if report.operations:
        parts.append(_operations(report))
    parts += [_target(target) for target in report.targets]
    parts += _documented(report, load_speed_results())
    return "\n\n".join(parts)


def machine_line(machine: Machine) -> str:
    """Describe the machine in one short line."""
    return f"{machine.cpu}, {machine.cores} cores, {machine.peak_flops / 1e9:.0f} GFLOP/s at most"


def changes(old: dict[str, Any], new: dict[str, Any], found: Iterable[Change]) -> str:
    """Compare new times with old ones, and list the differences between the machines."""
    lines = [f"{'compared with the earlier run':58}{'old us':>12}{'new us':>12}{'new/old':>9}"]
    lines += [
        f"{change.name:58}{change.old_s * 1e6:12,.1f}{change.new_s * 1e6:12,.1f}{change.ratio:9.2f}  {change.verdict}"
        for change in found
    ]
    if len(lines) == 1:
        lines.append("the two runs have no row in common")
    for fact in ("cpu", "cores"):
        before, now = old["machine"][fact], new["machine"][fact]
        if before != now:
            lines.append(f"The machines differ in {fact}: {before} before, {now} now.")
    return "\n".join(line.rstrip() for line in lines)


def _machine(machine: Machine) -> str:
    return (
        f"{machine.cpu}, {machine.system}, {machine.cores} cores ({machine.threading_layer}), "
        f"{machine.lanes} lanes of float32\n"
        f"at most {machine.peak_flops / 1e9:.0f} GFLOP/s of multiply-adds, "
        f"memory {machine.bytes_per_second / 1e9:.0f} GB/s (both measured)\n"
        f"Python {machine.python}, numba {machine.numba}, numpy {machine.numpy}"
    )


def _gpu(gpu: Gpu) -> str:
    return (
        f"{gpu.name}, compute capability {gpu.compute_capability}, driver for CUDA {gpu.driver_cuda}\n"
        f"at most {gpu.peak_flops / 1e9:,.0f} GFLOP/s of multiply-adds, "
        f"memory {gpu.bytes_per_second / 1e9:,.0f} GB/s (both measured)"
    )


def _place(table: tuple[str, int]) -> tuple[bool, int]:
    """Return a key that sorts tables: training first, and small batches first."""
    mode, batch_size = table
    return mode != TRAINING, batch_size


def _race(report: Report, mode: str, rows: list[Row]) -> str:
    width = max(len(_title(row)) for row in rows) + 2
    head = f"{'us a step':>14}{'quartiles':>30}{'best':>14}{'images/s':>13}{'GFLOP/s':>9}{'of peak':>9}{'time':>9}"
    lines = [f"{mode}, batch {rows[0].batch_size}", f"{'':16}{'':{width}}{head}"]
    for model, group in groupby(rows, key=lambda row: row.model):
        for number, row in enumerate(group):
            lines.append(f"{'' if number else model:16}{_title(row):{width}}{_times(report, row)}")
    most = max((row.other_cores or 0.0 for row in rows if row.disturbed), default=0.0)
    if most:
        lines.append(f"disturbed: other programs used up to {most:.1f} cores; measure again when the machine is idle")
    return "\n".join(line.rstrip() for line in lines)


def _times(report: Report, row: Row) -> str:
    low, high = (f"{seconds * 1e6:,.1f}" for seconds in row.quartiles_s)
    return (
        f"{row.median_s * 1e6:14,.1f}{f'{low} .. {high}':>30}{row.best_s * 1e6:14,.1f}{row.images_per_second:13,.0f}"
        f"{row.gflops:9.1f}{report.share_of_peak(row.gflops, row.device):9.1%}{f'{row.ratio:.2f} x':>9}"
        f"{'  disturbed' if row.disturbed else ''}"
    )


def _operations(report: Report) -> str:
    head = f"{'us':>10}{'GFLOP/s':>9}{'of peak':>9}{'GB/s':>7}"
    products = any(operation.rival_gflops for operation in report.operations)
    lines = ["single steps" + f"{head:>70}" + ("   numpy's product, GFLOP/s" if products else "")]
    for (model, batch_size), group in groupby(report.operations, key=lambda row: (row.model, row.batch_size)):
        rows = list(group)
        lines += [f"{model}, batch {batch_size}", *(_operation(report, row) for row in rows)]
        total_s, flops = sum(row.median_s for row in rows), sum(row.flops for row in rows)
        rate = flops / total_s / 1e9
        lines.append(f"  {'all':45}{total_s * 1e6:10,.1f}{rate:9.1f}{report.share_of_peak(rate, rows[0].device):9.1%}")
    return "\n".join(line.rstrip() for line in lines)


def _operation(report: Report, row: Operation) -> str:
    rates = f"{row.gflops:9.1f}{report.share_of_peak(row.gflops, row.device):9.1%}" if row.flops else f"{'':18}"
    product = f"{row.rival_gflops:12.1f}" if row.rival_gflops else ""
    return (
        f"  {row.step:35}{row.direction:10}{row.median_s * 1e6:10,.1f}{rates}{row.gigabytes_per_second:7.1f}{product}"
    )


def _target(target: TimeToAccuracy) -> str:
    head = f"{'seed':>6}{'compile s':>11}{'load s':>8}{'train s':>9}{'test s':>8}{'test accuracy':>15}"
    lines = [f"{target.model} on {target.device}, {target.epochs} epochs, batch {target.batch_size}", head]
    for seed in target.seeds:
        lines.append(
            f"{seed.seed:6}{seed.compile_s:11.2f}{seed.load_s:8.2f}{seed.train_s:9.2f}{seed.test_s:8.2f}"
            f"{seed.accuracy:15.2%}"
        )
    found = target.accuracies
    reached = "reaches" if target.reached else "does not reach"
    spread = "unknown" if found["std"] is None else f"{found['std']:.2%}"
    lines.append(
        f"mean {found['mean']:.2%} (lowest {found['min']:.2%}, highest {found['max']:.2%}, std {spread}) "
        f"{reached} {target.target:.2%}"
    )
    return "\n".join(lines)


def _documented(report: Report, results: dict[str, dict[str, Any]]) -> list[str]:
    """Put the measured ratios next to the documented ones of a CPU with as many lanes; empty if there are none."""
    known = results.get(str(report.machine.lanes), {"ratios": []})
    documented = {tuple(row[key] for key in COMPARISON): row["ratio"] for row in known["ratios"]}
    groups: dict[str, list[str]] = {}
    for row in report.rows:
        key = (row.mode, row.model, row.batch_size, row.contender)
        if key in documented and report.rows[0].device == "cpu":
            group = groups.setdefault(f"{row.mode}, batch {row.batch_size}, {row.contender}", [])
            group.append(f"{row.model} {row.ratio:.1f} ({documented[key]:.1f})")
    lines = [f"{name}: {', '.join(models)}" for name, models in groups.items()]
    head = f"time relative to ours, and in parentheses the documented value for {known.get('machine')}:"
    return ["\n".join([head, *lines])] if lines else []


def _title(row: Row) -> str:
    return f"{row.contender} ({row.variant})" if row.variant else row.contender
