"""NaN, infinity, subnormal and huge numbers on a real GPU give what PyTorch gives."""

import pytest
import special_values

pytestmark = pytest.mark.gpu

EXPECTED = special_values.expected()


@pytest.mark.parametrize("case", special_values.CASES)
def test_gpu_does_as_pytorch(gpu, case):
    special_values.assert_equal(special_values.CASES[case](gpu), EXPECTED[case])
