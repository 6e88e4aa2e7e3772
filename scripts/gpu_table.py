"""Format the results of scripts/gpu_report.py as the table that it prints at the end."""

from collections.abc import Iterator
from typing import Any

Results = dict[str, dict[str, Any]]  # by part
CHECKS = {
    "compilation": "networks are compiled",
    "checks": "ops and gradients are correct",
    "parity": "networks agree with the CPU",
    "graph": "networks train to the same bits with a graph as without",
    "tests": "run of pytest -m gpu passes",
    "sanitizer": "tools of compute-sanitizer find no error",
}


SLOWEST = 5  # kernels of a step that are shown


def as_text(results: Results) -> str:
    """Return the table of all parts that have results."""
    return "\n".join(
        [
            *_facts(results),
            *_checks(results),
            *_ceilings(results),
            *_replay(results),
            *_timings(results),
            *_accuracy(results),
            *_memory(results),
            *_steps(results),
        ]
    )


def failures(results: Results) -> list[str]:
    """Return one line per error or failed check."""
    errors = [f"{name}: {part['error']}" for name, part in results.items() if "error" in part]
    return errors + [f"{name}: {line}" for name, part in results.items() for line in part.get("failures", [])]


def _facts(results: Results) -> Iterator[str]:
    sections = results.get("facts", {}).get("sections", {})
    for part in (part for parts in sections.values() for part in parts):
        if part["name"] in ("processor", "numba", "driver", "CuPy", "numba-cuda", "nvvm") or "device" in part["name"]:
            yield f"{part['name']:16}{part['value']}"


def _checks(results: Results) -> Iterator[str]:
    for name, meaning in CHECKS.items():
        part = results.get(name, {})
        if "checks" in part:
            yield f"{name:16}{part['checks'] - len(part['failures'])} of {part['checks']} {meaning}"
    yield from (f"{name:16}left out: {part['left_out']}" for name, part in results.items() if "left_out" in part)
    yield from (f"FAILS           {line}" for line in failures(results))


def _ceilings(results: Results) -> Iterator[str]:
    part = results.get("ceilings", {})
    if "peak_flops" in part:
        product = part.get("product_flops")
        torch = f", PyTorch's matrix product {product / 1e12:.2f}" if product else ""
        yield (
            f"peak            {part['peak_flops'] / 1e12:.2f} TFLOP/s{torch}, "
            f"memory {part['bytes_per_second'] / 1e9:,.0f} GB/s"
        )


def _replay(results: Results) -> Iterator[str]:
    """Yield the times of recorded steps, and those of the kernels that take longest."""
    part = results.get("replay", {})
    if not part.get("steps"):
        return
    yield f"{'':40}{'us':>12}{'predicted':>11}{'host us':>9}{'both':>8}"
    for model, step in part["steps"].items():
        title = f"recorded step {model}, batch {part['batch_size']}"
        yield (f"{title:40}{step['gpu_us']:12,.1f}{_predicted(step):>11}{step['host_us']:9,.1f}{step['step_us']:8,.1f}")
        for kernel in sorted(step["kernels"], key=lambda kernel: -kernel["us"])[:SLOWEST]:
            bound = f"  predicted by {kernel['bound']}" if kernel["bound"] else ""
            yield f"  {kernel['kernel']:38}{kernel['us']:12,.1f}{_predicted(kernel):>11}{bound}"


def _predicted(row: dict[str, Any]) -> str:
    return "-" if row["predicted_us"] is None else f"{row['predicted_us']:,.1f}"


def _timings(results: Results) -> Iterator[str]:
    rows = results.get("timings", {}).get("rows", [])
    comparisons = dict.fromkeys((row["mode"], row["model"], row["batch_size"]) for row in rows)
    if not comparisons:
        return
    yield f"{'':40}{'us':>12}{'images/s':>14}{'of peak':>9}{'torch eager':>13}{'graph':>8}"
    peak = results.get("ceilings", {}).get("peak_flops")
    for mode, model, images in sorted(comparisons, key=lambda key: (key[0] != "training", key[2])):
        ours, *others = (row for row in rows if (row["mode"], row["model"], row["batch_size"]) == (mode, model, images))
        share = f"{ours['gflops'] * 1e9 / peak:.1%}" if peak else ""
        ratios = [_ratio(ours, others, kind) for kind in ("eager", "graph")]
        yield (
            f"{f'{mode} {model}, batch {images}':40}{ours['median_s'] * 1e6:12,.1f}{ours['images_per_second']:14,.0f}"
            f"{share:>9}{ratios[0]:>13}{ratios[1]:>8}"
        )


def _ratio(ours: dict[str, Any], others: list[dict[str, Any]], kind: str) -> str:
    """Return the time of PyTorch's fastest variant of a kind divided by ours."""
    times = [row["median_s"] for row in others if row["variant"].startswith(kind)]
    return f"{min(times) / ours['median_s']:.2f} x" if times else "-"


def _accuracy(results: Results) -> Iterator[str]:
    part = results.get("accuracy", {})
    for model, found in part.get("networks", {}).items():
        accuracies, times, seeds = found["accuracies"], found["train_s"], found["seeds"]
        yield (
            f"to 99 %         {model}: {accuracies['mean']:.2%} (lowest {accuracies['min']:.2%}) of {len(seeds)} seeds "
            f"after {times['mean']:.3f} s of training ({times['min']:.3f} to {times['max']:.3f}); compilation "
            f"{seeds[0]['compile_s']:.1f} s at first, upload {part['upload_s']:.3f} s"
        )


def _memory(results: Results) -> Iterator[str]:
    memory = results.get("memory", {})
    if "grown_bytes" in memory:
        grown = ", ".join(f"{model} {grown:,}" for model, grown in memory["grown_bytes"].items())
        yield f"memory          bytes more after {memory['steps']:,} steps: {grown}"


def _steps(results: Results) -> Iterator[str]:
    ceilings, rows = results.get("ceilings", {}), results.get("steps", {}).get("operations", [])
    if "peak_flops" in ceilings:
        for row in rows:
            compute = row["gflops"] * 1e9 / ceilings["peak_flops"]
            traffic = row["gigabytes_per_second"] * 1e9 / ceilings["bytes_per_second"]
            name = f"{row['model']} {row['step']} {row['direction']}"
            yield f"  {name:58}{row['median_s'] * 1e6:10,.1f} us{compute:8.1%} of peak{traffic:8.1%} of memory"
