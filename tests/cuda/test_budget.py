"""What the kernels of a training step do, counted by the interpreter of PTX, stays within tests/cuda/budget.toml."""

from collections import Counter
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ptx.probe import at, kernel, launch

pytestmark = pytest.mark.slow

MODELS = [
    "mlp",
    "lenet",
    "record",
    *(pytest.param(model, marks=pytest.mark.long) for model in ("tiny-8k", "torch-example")),
]
MAX_RISE = 1.02
HOW_TO_UPDATE = "If the change is worth it, update the counts: python scripts/gpu_budget.py"


@pytest.fixture(scope="module", autouse=True)
def scripts():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
        yield


@pytest.fixture
def budget():
    return import_module("gpu_budget")


@pytest.mark.parametrize("model", MODELS)
def test_no_kernel_does_more_than_recorded(needs_numba_cuda, budget, model):
    risen = budget.risen(budget.read()[model], budget.count(model), MAX_RISE)
    assert not risen, "\n".join([*risen, HOW_TO_UPDATE])


@pytest.mark.parametrize("model", ["mlp", "lenet", "record", "tiny-8k", "torch-example"])
def test_the_budget_has_the_kernels_of_a_step(interpreted, budget, model, monkeypatch):
    """In their order and branches, so that the report for a GPU finds each prediction; none is compiled here."""
    launch, graph = (import_module(f"fastdigits.ops.cuda.{name}") for name in ("launch", "graph"))

    def note(kernel, grid, arguments):
        stream = graph.stream_of(arguments, kernel.written)
        stream.do(SimpleNamespace(kernel=kernel.function.__name__, stream=stream.number))

    with interpreted():
        step = import_module("gpu_step").TrainingStep(model, import_module("fastdigits.ops").load("cuda"), 128, False)
        monkeypatch.setattr(launch, "start", note)
        recorded = graph.record(step.trainer._run_step, 128)
        monkeypatch.undo()
    started = [
        (node.work.kernel, node.work.stream > 0, after)
        for node, after in zip(recorded.nodes, recorded.after, strict=True)
    ]
    assert started == [(one.kernel, one.concurrent, one.after) for one in budget.read()[model]], HOW_TO_UPDATE


def launched(budget, kernel="dense_forward", instructions=1000, sectors=500):
    return budget.Launch(kernel, 4, 4, instructions, 100, sectors, 4096)


def test_a_rise_names_the_kernel_and_both_figures(budget):
    before = [launched(budget), launched(budget)]
    assert budget.risen(before, [launched(budget, instructions=1020)] * 2, MAX_RISE) == []
    now = [launched(budget, instructions=1021)] * 2
    assert budget.risen(before, now, MAX_RISE) == ["dense_forward: 2,042 instructions in a step, 2,000 recorded"]
    now = [launched(budget, sectors=600), launched(budget, sectors=500)]
    assert budget.risen(before, now, MAX_RISE) == ["dense_forward: 1,100 sectors in a step, 1,000 recorded"]
    [new, _] = budget.risen(before, [*before, launched(budget, "relu_forward")], MAX_RISE)
    assert new == "relu_forward: 1,000 instructions in a step, 0 recorded"


def test_counts_are_read_as_they_were_written(budget, tmp_path):
    concurrent = launched(budget)._replace(concurrent=True, after=0)
    counts = {"mlp": [launched(budget)], "torch-example": [launched(budget, "_adamw_step"), concurrent]}
    budget.write(counts, "release 12.9", tmp_path / "budget.toml")
    assert budget.read(tmp_path / "budget.toml") == counts


def test_moves_and_parameters_are_not_counted(budget):
    y, body = np.zeros(4096, np.uint32), f"mov.u32 %r1, 1; {at('y', '%r10')} st.global.u32 [%rd9], %r1;"
    done = launch(kernel(body, ["y"]), {"y": y}, 64, 2, counts_memory=True)
    assert budget._launch(done) == budget.Launch("probe", 2, 2, 4 * 4, 0, 4 * 4, 512)  # mad, mad, st, ret of 4 warps


def test_memory_that_is_touched_again_counts_once():
    y, body = np.zeros(64, np.uint32), f"{at('y', '%r11')} ld.global.u32 %r1, [%rd9]; ld.global.u32 %r2, [%rd9];"
    done = launch(kernel(body, ["y"]), {"y": y}, 32, 2, counts_memory=True)
    assert done.memory["global load sectors"] == 2 * 2 * 4
    assert done.touched_bytes == 128


@pytest.fixture
def model():
    return import_module("gpu_model")


def test_predictions_are_the_slowest_of_the_rates(budget, model):
    gpu = model.Gpu("", 10, 2.0, 2, 100.0, latency_us=1.0, gap_us=0.5)

    def predicted(blocks=10, warps=4, instructions=0, fma=0, sectors=0, size=0):
        us, bound = model.predict(budget.Launch("", blocks, warps, instructions, fma, sectors, size), gpu)
        return pytest.approx(us - gpu.gap_us), bound

    scheduled = 4 * model.EFFICIENCY * 2.0 * 1e3  # instructions of a multiprocessor in a microsecond
    assert predicted(instructions=10 * 8 * scheduled) == (8, "issue")
    assert predicted(instructions=20, blocks=20) == (1, "latency")
    assert predicted(instructions=11 * 8 * scheduled, blocks=11) == (16, "issue"), "one multiprocessor has two blocks"
    assert predicted(instructions=8 * scheduled / 4, blocks=1, warps=1) == (8, "issue"), "one scheduler has a warp"
    assert predicted(fma=10 * 2 * 2e3 * 8) == (8, "fma")
    assert predicted(sectors=10 * 4 * 2e3 * 8) == (8, "cache")
    assert predicted(size=8 * 100e3) == (8, "memory")


def test_branches_take_as_long_as_the_longer_one_or_as_what_they_share(budget, model):
    gpu = model.Gpu("", 10, 2.0, 2, 100.0, latency_us=1.0, gap_us=0.5)

    def step_us(*given):
        """Return the time of kernels of some microseconds, which need all instructions of the GPU, or half of them."""
        scheduled = 4 * model.EFFICIENCY * 2.0 * 1e3 * 10  # instructions in a microsecond
        launches = [
            budget.Launch(
                "", 11 if half else 10, 4, int(us * scheduled * (0.55 if half else 1)), 0, 0, 0, concurrent, after
            )
            for us, half, concurrent, after in given
        ]
        return pytest.approx(model.step_us(launches, gpu), rel=1e-4)

    assert step_us((8, False, False, None), (4, False, False, None)) == 8 + 0.5 + 4 + 0.5
    assert step_us((4, True, False, None), (8, True, True, None)) == 4 * 1.1 + 4 + 0.5, "each needs 55 % of them"
    assert step_us((8, False, False, None), (8, False, True, None)) == 16 + 0.5, "both need all"
    assert step_us((8, False, False, None), (4, False, True, 0)) == 8 + 0.5 + 4 + 0.5, "the second waits for the first"
    assert step_us((2, False, False, None), (4, False, True, 0), (4, False, False, None), (2, False, False, 1)) == (
        2 + 0.5 + 8 + 0.5 + 2 + 0.5
    )


def test_the_table_names_every_kernel_and_says_that_it_predicts(budget, model):
    counts = budget.read()
    text = model.as_text(counts, list(model.GPUS.values()))
    assert text.startswith("Predicted, not measured")
    assert Counter(text.split())["dense_forward"] == sum(
        launch.kernel == "dense_forward" for launches in counts.values() for launch in launches
    )
    for launches, line in zip(counts.values(), (line for line in text.splitlines() if "  step" in line), strict=True):
        assert float(line.split()[3]) == pytest.approx(model.step_us(launches, model.GPUS["H200"]), abs=0.1)


def test_recorded_steps_are_timed_next_to_their_predictions(interpreted, budget, model, monkeypatch, tmp_path):
    replay, ops = import_module("gpu_replay"), import_module("fastdigits.ops")
    monkeypatch.setattr(budget, "BATCH_SIZE", 16)
    budget.write({"linear": budget.count("linear")}, "", tmp_path / "budget.toml")
    counts = budget.read(tmp_path / "budget.toml")
    monkeypatch.setattr(budget, "read", lambda: counts)
    for name in ("SAMPLES", "REPLAYS", "HOST_STEPS", "KERNEL_REPEATS", "KERNEL_REPLAYS"):
        monkeypatch.setattr(replay, name, 2)
    with interpreted() as gpu:
        found, other = (replay.measure("linear", ops.load("cuda"), images) for images in (16, 17))
        here = model.this_gpu()
    assert here[1:5] == pytest.approx((132, 1.98, 4, 4917), abs=1)
    assert [one["kernel"] for one in found["kernels"]] == [launch.kernel for launch in counts["linear"]]
    assert found["predicted_us"] == pytest.approx(model.step_us(counts["linear"], here))
    assert other["predicted_us"] is None
    assert min(found[name] for name in ("gpu_us", "host_us", "step_us")) > 0
    for one in found["kernels"]:
        assert one["us"] > 0
        assert one["predicted_us"] >= here.latency_us + here.gap_us
    assert {"begin", "end", "launch"} <= set(gpu.stream.log)
    text = import_module("gpu_table").as_text({"replay": {"batch_size": 16, "steps": {"linear": found}}})
    assert "recorded step linear, batch 16" in text
    assert "dense_forward" in text
