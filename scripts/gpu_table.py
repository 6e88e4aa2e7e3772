"""The short table at the end of scripts/gpu_report.py, made of the figures that its JSON file has."""

from collections.abc import Iterator
from typing import Any

Found = dict[str, dict[str, Any]]
CHECKS = {
    "checks": "operations and gradients are right",
    "parity": "networks give the numbers of the CPU",
    "graph": "networks learn the same bits with a graph as without",
    "tests": "run of pytest -m gpu passes",
    "sanitizer": "tools of compute-sanitizer find nothing",
}


def as_text(found: Found) -> str:
    """All parts that were done."""
    return "\n".join(
        [*_facts(found), *_checks(found), *_ceilings(found), *_races(found), *_accuracy(found), *_rest(found)]
    )


def failures(found: Found) -> list[str]:
    """What is wrong, in lines."""
    wrong = [f"{name}: {part['error']}" for name, part in found.items() if "error" in part]
    return wrong + [f"{name}: {line}" for name, part in found.items() for line in part.get("failures", [])]


def _facts(found: Found) -> Iterator[str]:
    sections = found.get("facts", {}).get("sections", {})
    for part in (part for parts in sections.values() for part in parts):
        if part["name"] in ("processor", "numba", "driver", "CuPy", "numba-cuda", "nvvm") or "device" in part["name"]:
            yield f"{part['name']:16}{part['value']}"


def _checks(found: Found) -> Iterator[str]:
    for name, what in CHECKS.items():
        part = found.get(name, {})
        if "checks" in part:
            yield f"{name:16}{part['checks'] - len(part['failures'])} of {part['checks']} {what}"
    yield from (f"{name:16}left out: {part['left_out']}" for name, part in found.items() if "left_out" in part)
    yield from (f"FAILS           {line}" for line in failures(found))


def _ceilings(found: Found) -> Iterator[str]:
    part = found.get("ceilings", {})
    if "peak_flops" in part:
        product = part.get("product_flops")
        beside = f", PyTorch's matrix product {product / 1e12:.2f}" if product else ""
        yield (
            f"at most         {part['peak_flops'] / 1e12:.2f} TFLOP/s{beside}, "
            f"memory {part['bytes_per_second'] / 1e9:,.0f} GB/s"
        )


def _races(found: Found) -> Iterator[str]:
    rows = found.get("timings", {}).get("rows", [])
    races = dict.fromkeys((row["mode"], row["model"], row["batch_size"]) for row in rows)
    if not races:
        return
    yield f"{'':40}{'us':>12}{'images/s':>14}{'of peak':>9}{'torch eager':>13}{'graph':>8}"
    peak = found.get("ceilings", {}).get("peak_flops")
    for mode, model, images in sorted(races, key=lambda one: (one[0] != "training", one[2])):
        ours, *others = (row for row in rows if (row["mode"], row["model"], row["batch_size"]) == (mode, model, images))
        share = f"{ours['gflops'] * 1e9 / peak:.1%}" if peak else ""
        ratios = [_ratio(ours, others, way) for way in ("eager", "graph")]
        yield (
            f"{f'{mode} {model}, batch {images}':40}{ours['median_s'] * 1e6:12,.1f}{ours['images_per_second']:14,.0f}"
            f"{share:>9}{ratios[0]:>13}{ratios[1]:>8}"
        )


def _ratio(ours: dict[str, Any], others: list[dict[str, Any]], way: str) -> str:
    """How many times as long PyTorch takes in the best of its ways of that kind."""
    times = [row["median_s"] for row in others if row["variant"].startswith(way)]
    return f"{min(times) / ours['median_s']:.2f} x" if times else "-"


def _accuracy(found: Found) -> Iterator[str]:
    part = found.get("accuracy", {})
    if "accuracies" in part:
        accuracies = part["accuracies"]
        yield (
            f"to 99 %         {accuracies['mean']:.2%} (lowest {accuracies['min']:.2%}) of {len(part['seeds'])} seeds "
            f"after {part['train_s']['mean']:.3f} s of training; compilation {part['seeds'][0]['compile_s']:.1f} s at "
            f"first, upload {part['upload_s']:.3f} s"
        )


def _rest(found: Found) -> Iterator[str]:
    memory = found.get("memory", {})
    if "grown_bytes" in memory:
        grown = ", ".join(f"{model} {grown:,}" for model, grown in memory["grown_bytes"].items())
        yield f"memory          bytes more after {memory['steps']:,} steps: {grown}"
    ceilings, rows = found.get("ceilings", {}), found.get("steps", {}).get("operations", [])
    if "peak_flops" in ceilings:
        for row in rows:
            compute = row["gflops"] * 1e9 / ceilings["peak_flops"]
            traffic = row["gigabytes_per_second"] * 1e9 / ceilings["bytes_per_second"]
            name = f"{row['model']} {row['step']} {row['direction']}"
            yield f"  {name:58}{row['median_s'] * 1e6:10,.1f} us{compute:8.1%} of peak{traffic:8.1%} of memory"
