"""NaN, infinity, subnormal and huge numbers in the simulator give what PyTorch gives."""

import pytest
import special_values

from fastdigits.ops import load

EXPECTED = special_values.expected()
CUDA = load("cuda")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy warns of invalid values
@pytest.mark.parametrize("case", special_values.CASES)
def test_simulator_does_as_pytorch(case):
    special_values.assert_equal(special_values.CASES[case](CUDA), EXPECTED[case])
