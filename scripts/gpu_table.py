"""Format the results of scripts/gpu_report.py as the table that it prints at the end."""

from collections.abc import Iterator
from typing import Any

Results = dict[str, dict[str, Any]]  # by part
CHECKS = {
    "checks": "ops and gradients are correct",
    "parity": "networks agree with the CPU",
    "graph": "networks train to the same bits with a graph as without",
    "tests": "run of pytest -m gpu passes",
    "sanitizer": "tools of compute-sanitizer find no error",
}


def as_text(results: Results) -> str:
    """Return the table of all parts that have results."""
    return "\n".join(
        [
            *_facts(results),
            *_checks(results),
            *_ceilings(results),
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
    if "accuracies" in part:
        accuracies = part["accuracies"]
        yield (
            f"to 99 %         {accuracies['mean']:.2%} (lowest {accuracies['min']:.2%}) of {len(part['seeds'])} seeds "
            f"after {part['train_s']['mean']:.3f} s of training; compilation {part['seeds'][0]['compile_s']:.1f} s at "
            f"first, upload {part['upload_s']:.3f} s"
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
