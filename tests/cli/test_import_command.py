"""`fastdigits import`: weights from files of other programs."""

import json

import numpy as np
import pytest


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".onnx"])
def test_an_export_comes_back(invoke, trained, tiny, suffix):
    pytest.importorskip("numpy" if suffix == ".npz" else suffix[1:])
    assert invoke("export", trained, "-o", f"x{suffix}").exit_code == 0
    result = invoke("import", f"x{suffix}", "-o", "again.h5")
    assert result.exit_code == 0, result.output
    assert "linear: 2 layers, 7,850 parameters" in result.stdout
    assert "(as exported)" in result.stdout
    told = [json.loads(invoke("eval", path, "--data", tiny, "--json").stdout) for path in (trained, "again.h5")]
    assert told[0]["confusion"] == told[1]["confusion"]


def test_arrays_of_another_program(run_main, tmp_path):
    random = np.random.default_rng(0)
    weight = random.standard_normal((10, 784), np.float32)
    np.savez(tmp_path / "theirs.npz", **{"fc.weight": weight, "fc.bias": np.zeros(10, np.float32)})
    result = run_main("import", "theirs.npz", "-o", "x.h5", "--model", "linear", "--mean", "0.5", "--json")
    assert (result.returncode, result.stderr) == (0, "written: x.h5\n")
    summary = json.loads(result.stdout)
    assert (summary["model"], summary["layers"]) == ("linear", ["flatten_1", "dense_1"])
    assert (summary["mean"], summary["std"]) == (0.5, 0.3081)


def test_bad_input(fails, trained, tmp_path):
    np.savez(tmp_path / "theirs.npz", weight=np.zeros((3, 784), np.float32))
    (tmp_path / "one.toml").write_text('[[layer]]\ntype = "Flatten"\n[[layer]]\ntype = "Dense"\nunits = 3\n')
    fails(1, "does not describe layers", "import", "theirs.npz", "-o", "x.h5")
    fails(1, "dense_1.weight is 3 x 784", "import", "theirs.npz", "-o", "x.h5", "--model", "linear")
    for option, value in (("--std", "0"), ("--std", "inf"), ("--mean", "nan"), ("--mean", "33")):
        fails(2, f"Invalid value for '{option}'", "import", "theirs.npz", "-o", "x.h5", option, value)
    fails(1, "There is no model 'lenot'", "import", "theirs.npz", "-o", "x.h5", "--model", "lenot")
    fails(2, "does not end with .onnx, .safetensors or .npz, and only", "import", trained, "-o", "x.h5")
    fails(2, "write the weights of PyTorch with safetensors.torch.save_file", "import", "mnist_cnn.pt", "-o", "x.h5")
    fails(1, "cannot be read", "import", "missing.npz", "-o", "x.h5")
    fails(2, "The output is FILE itself", "import", "theirs.npz", "-o", "theirs.npz")
    with np.load(tmp_path / "theirs.npz") as unchanged:
        assert unchanged["weight"].shape == (3, 784)
