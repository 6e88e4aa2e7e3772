"""`fastdigits bench`, on the smallest network and in one round."""

import json
import sys

import pytest

from fastdigits.errors import UserError

pytestmark = pytest.mark.slow

SHORT = ("bench", "linear", "--batch-size", 16, "--runs", 1)


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    """Stretches of a moment, and rates of the machine that need not be measured each time."""
    from fastdigits.bench import machine, timing

    monkeypatch.setattr(timing, "SAMPLE_S", 0.001)
    monkeypatch.setattr(machine, "peak_flops", lambda: 1e11)
    monkeypatch.setattr(machine, "bytes_per_second", lambda: 1e10)


def test_all_parts(invoke, tmp_path, tiny):
    files = "--json", "new.json", "--plot", "bars.png"
    parts = "--ops", "--target", 20, "--seeds", 2, "--data", tiny, "--against", "numpy"
    result = invoke(*SHORT, "--devices", "cpu,reference", *parts, *files)
    assert result.exit_code == 0, result.output
    for words in ("training, batch 16", "inference, batch 16", "fastdigits reference", "dense_1", "numpy's product"):
        assert words in result.stdout
    assert "reaches 20.00%" in result.stdout
    assert "linear training: fastdigits cpu\n" in result.stderr
    assert (tmp_path / "bars.png").read_bytes().startswith(b"\x89PNG")
    report = json.loads((tmp_path / "new.json").read_text())
    assert [(row["mode"], row["contender"]) for row in report["rows"]] == [
        ("training", "fastdigits cpu"),
        ("training", "fastdigits reference"),
        ("inference", "fastdigits cpu"),
        ("inference", "fastdigits reference"),
    ]
    assert len(report["operations"]) == 4
    assert [[seed["seed"] for seed in target["seeds"]] for target in report["targets"]] == [[0, 1], [0, 1]]


def test_comparison(invoke):
    assert invoke(*SHORT, "--no-train", "--json", "old.json").exit_code == 0
    result = invoke(*SHORT, "--compare", "old.json")
    assert result.exit_code == 0, result.output
    compared = result.stdout.partition("compared with the earlier run")[2]
    assert "inference linear 16 fastdigits cpu" in compared
    assert "training" not in compared


@pytest.mark.parametrize("exact", [True, False])
def test_report_records_exact(exact, invoke, tmp_path):
    result = invoke(*SHORT, "--no-train", "--json", "new.json", *["--exact"] * exact)
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "new.json").read_text())["settings"]["exact"] is exact


def test_cpu_and_gpu_are_compared_where_both_work(invoke, monkeypatch, tmp_path):
    """The reference device stands in for the GPU."""
    from fastdigits import ops
    from fastdigits.bench import gpu

    definitions = ops.load("reference")
    functions = {name: function for name, function in vars(definitions).items() if callable(function)}
    load, cuda = ops.load, ops.LoadedOps("cuda", 1, functions)
    monkeypatch.setattr(ops, "load", lambda device, *more: cuda if device == "cuda" else load(device, *more))
    monkeypatch.setattr(ops, "why_unavailable", lambda device: None)
    monkeypatch.setattr(gpu, "measure", lambda: gpu.Gpu("a GPU", "9.0", 2**37, "13.0", 5e13, 4e12))
    result = invoke(*SHORT, "--no-inference", "--json", "new.json")
    assert result.exit_code == 0, result.output
    assert "a GPU, compute capability 9.0, driver for CUDA 13.0" in result.stdout
    rows = json.loads((tmp_path / "new.json").read_text())["rows"]
    assert [(row["contender"], row["device"]) for row in rows] == [
        ("fastdigits cpu", "cpu"),
        ("fastdigits cuda", "cuda"),
    ]
    for row, peak in zip(rows, (1e11, 5e13), strict=True):
        assert row["share_of_peak"] == pytest.approx(row["gflops"] * 1e9 / peak)


def test_several_batch_sizes(invoke, tmp_path):
    result = invoke("bench", "linear", "--batch-size", "1,8", "--runs", 1, "--ops", "--json", "new.json")
    assert result.exit_code == 0, result.output
    for head in ("training, batch 1\n", "training, batch 8\n", "inference, batch 1\n", "linear, batch 8\n"):
        assert head in result.stdout
    report = json.loads((tmp_path / "new.json").read_text())
    assert (
        {row["batch_size"] for row in report["rows"]} == {row["batch_size"] for row in report["operations"]} == {1, 8}
    )


def test_a_framework_that_is_not_installed_is_left_out(invoke, monkeypatch):
    monkeypatch.delitem(sys.modules, "fastdigits.bench.rivals.onnxruntime", raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    result = invoke(*SHORT, "--no-train", "--against", "onnxruntime")
    assert result.exit_code == 0, result.output
    assert "onnxruntime is left out: Comparing with onnxruntime needs packages" in result.stderr
    assert "run 'pip install onnxruntime onnx'" in result.stderr
    assert "fastdigits cpu" in result.stdout


def test_torch_takes_part(invoke):
    pytest.importorskip("torch")
    result = invoke(*SHORT, "--no-train", "--against", "torch", "--no-compile")
    assert result.exit_code == 0, result.output
    assert "torch (eager)" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["vgg"], "no model 'vgg'"),
        (["--devices", "abacus"], "'abacus' is not one of"),
        (["--against", "torch,abacus"], "'abacus' is not one of torch, torch-cuda, tensorflow, jax, onnxruntime"),
        (["--batch-size", "1,0"], "0 is not in the range"),
        (["--batch-size", "1,,2"], "'' is not a valid integer"),
        (["--batch-size", "1,8", "--target", "99"], "trains with one batch size"),
        (["--no-train", "--no-inference"], "nothing to measure"),
        (["--seeds", "2"], "give --target too"),
        (["--target", "101"], "101"),
        (["--runs", "0"], "0"),
        (["--threads", "100000"], "more than the number of cores"),
        (["--against", "numpy"], "add --ops"),
        (["--plot", "bars.jpg"], "does not end with .png, .svg or .pdf"),
        (["--plot", "bars.png", "--no-train", "--no-inference", "--ops"], "--plot draws"),
        (["--json", "a.png", "--plot", "a.png"], "name the same file"),
    ],
)
def test_wrong_command_line(invoke, arguments, says):
    result = invoke("bench", *arguments)
    assert result.exit_code == 2
    assert says in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--json", "missing/new.json"], "does not exist"),
        (["--compare", "none.json"], "Cannot read none.json"),
    ],
)
def test_bad_input(invoke, arguments, says):
    result = invoke("bench", "linear", *arguments)
    assert isinstance(result.exception, UserError)
    assert says in str(result.exception)


def test_error_is_one_sentence(fails):
    fails(1, "does not exist", "bench", "linear", "--json", "missing/new.json")


def test_help_has_an_example(invoke):
    result = invoke("bench", "--help")
    assert result.exit_code == 0
    assert "Example: fastdigits bench" in result.stdout
