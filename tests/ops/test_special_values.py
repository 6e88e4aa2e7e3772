"""NaN, infinity, subnormal and huge numbers give what PyTorch gives: none of them becomes an ordinary number.

The numbers of PyTorch 2.13 are in helpers/special_values.json; where PyTorch is installed, they are compared with it.
"""

from importlib.util import find_spec

import numpy as np
import pytest
import special_values
from special_values import CASES, INFERENCE, NAN, assert_equal

from fastdigits.ops import inference_ops, load

EXPECTED = special_values.expected()
REFERENCE = load("reference")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy warns of invalid values
@pytest.mark.parametrize("case", CASES)
def test_definition_does_as_pytorch(case):
    assert_equal(CASES[case](REFERENCE), EXPECTED[case])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("case", CASES)
def test_kernels_in_plain_python_do_as_pytorch(case, plain_ops):
    ops = plain_ops()
    ops.lanes = 3
    assert_equal(CASES[case](ops), EXPECTED[case])


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_cpu_does_as_pytorch(case):
    assert_equal(CASES[case](load("cpu")), EXPECTED[case])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("case", INFERENCE)
def test_single_images_do_as_pytorch(case):
    assert_equal(INFERENCE[case](inference_ops(load("cpu"), 1)), EXPECTED[case])


@pytest.mark.skipif(not find_spec("torch"), reason="PyTorch is not installed")
def test_pytorch_still_does_as_written():
    for name, table in special_values.in_pytorch().items():
        assert_equal(table, EXPECTED[name])


def test_every_case_has_an_expected_table():
    assert set(EXPECTED) == set(CASES)


@pytest.mark.slow
@pytest.mark.parametrize("op", ["conv2d_forward", "conv2d_relu_forward"])
def test_winograds_method_hides_no_nan(op):
    """It may spread NaN over a tile of 4 x 4 pixels; every pixel whose kernel touches NaN is NaN."""
    ops, (C, O, H, W) = load("cpu"), (16, 16, 14, 14)
    rng = np.random.default_rng(0)
    weight, bias = rng.uniform(-1, 1, (O, C, 3, 3)).astype(np.float32), np.zeros(O, np.float32)
    clean = rng.uniform(-1, 1, (1, C, H, W, ops.lanes)).astype(np.float32)
    for i, j in ((0, 0), (5, 6), (13, 13), (3, 8)):
        x, y = clean.copy(), np.zeros((1, O, H, W, ops.lanes), np.float32)
        x[0, 3, i, j, 1] = NAN
        getattr(ops, op)(x, weight, bias, 1, 1, 1, y)
        reach = slice(max(0, i - 1), i + 2), slice(max(0, j - 1), j + 2)
        assert np.isnan(y[0, :, *reach, 1]).all()
        assert np.isfinite(np.delete(y, 1, -1)).all()  # other images
