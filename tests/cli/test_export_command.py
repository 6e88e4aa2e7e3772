"""`fastdigits export`: files, formats by their endings, and one sentence for bad input."""

import json
import sys

import numpy as np
import pytest

from fastdigits.data import load_part
from fastdigits.export import FORMATS


@pytest.mark.parametrize(
    ("file", "more", "start", "contains"),
    [
        ("x.npz", [], b"PK", b"dense_1.weight.npy"),
        ("x.PY", [], b'"""The network linear in PyTorch', b"dense_1=nn.Linear(784, 10)"),
        ("x.py", ["--to", "keras"], b'"""The network linear in Keras', b'layers.Dense(10, name="dense_1")'),
        ("x.html", [], b"<!doctype html>", b"linear: 7,850 parameters"),
        ("x.c", [], b"/* linear trained on", b"void network_scores("),
        ("x.h", [], b"/* linear trained on", b"static inline void network_scores("),
        ("weights", ["--to", "npz", "--fold"], b"PK", b"dense_1.bias.npy"),
    ],
)
def test_the_ending_or_to_selects_the_format(invoke, trained, tmp_path, file, more, start, contains):
    result = invoke("export", trained, "-o", file, *more)
    assert result.exit_code == 0, result.output
    content = (tmp_path / file).read_bytes()
    assert content.startswith(start)
    assert contains in content


def test_the_result_as_json(run_main, trained, tmp_path):
    result = run_main("export", trained, "-o", "x.npz", "--json")
    assert (result.returncode, result.stderr) == (0, "written: x.npz\n")
    summary = json.loads(result.stdout)
    assert (summary["file"], summary["model"], summary["format"]) == ("x.npz", "linear", "npz")
    assert summary["bytes"] == (tmp_path / "x.npz").stat().st_size


def test_the_memory_of_c_and_the_accuracy_of_int8_are_told(run_main, trained):
    result = run_main("export", trained, "-o", "x.c", "--int8", "--json")
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert "test images are right" in summary["note"]
    assert "bytes of flash and arrays" in result.stderr
    assert "Arduino Uno R4" in result.stderr


def test_pixels_in_give_digits_out(invoke, trained, tmp_path, tiny):
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    assert invoke("export", trained, "-o", "x.onnx", "--preprocessing").exit_code == 0
    told = json.loads(invoke("eval", trained, "--data", tiny, "--json").stdout)
    session = onnxruntime.InferenceSession(tmp_path / "x.onnx", providers=["CPUExecutionProvider"])
    images, labels = load_part(str(tiny), "test")
    (scores,) = session.run(None, {"pixels": images[:, None]})
    assert (scores.argmax(1) == labels).sum() == told["correct"]
    assert np.array(told["confusion"]).sum() == len(labels)


def test_bad_command_lines(fails, trained):
    fails(
        2, "'x.gif' does not end with .onnx, .safetensors, .npz, .py, .html, .c or .h", "export", trained, "-o", "x.gif"
    )
    fails(2, "--preprocessing does not apply to the format npz", "export", trained, "-o", "x.npz", "--preprocessing")
    fails(2, "--input is the input of a graph", "export", trained, "-o", "x.onnx", "--input", "float")
    fails(2, "--int8 does not apply to the format html", "export", trained, "-o", "x.html", "--int8")
    fails(2, "The output is the WEIGHTS file itself", "export", trained, "-o", trained, "--to", "npz")


def test_files_that_cannot_be_read_or_written(fails, trained):
    fails(1, "missing.h5", "export", "missing.h5", "-o", "x.npz")
    fails(1, "does not exist; create it", "export", trained, "-o", "no/folder/x.npz")


@pytest.mark.parametrize("name", ["onnx", "safetensors"])
def test_a_missing_package_is_named(invoke, trained, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    for module in [module for module in sys.modules if module.startswith(f"{name}.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, f"fastdigits.export.{FORMATS[name].module}", raising=False)
    result = invoke("export", trained, "-o", "x", "--to", name)
    assert f"The format {name} needs the package {name}" in str(result.exception)
    assert "run pip install 'fastdigits[export]'" in str(result.exception)
