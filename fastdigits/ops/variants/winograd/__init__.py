"""Convolution with 3 x 3 kernels by Winograd's method: a quarter of the multiplications.

F(4x4, 3x3): with the matrices A, B and G of transforms.py, a tile Y of 4 x 4 outputs is computed from 6 x 6 inputs D as

    Y = A^T [sum over c of (G g G^T) * (B^T D B)] A

where * multiplies element by element: 36 multiplications instead of 144 for 16 outputs. For each of the 36 elements,
the sum over channels is a matrix product. The gradients are the transposes of these steps:

    dD = B [sum over o of (G g G^T) * (A dY A^T)] B^T
    dg = G^T [sum over tiles of (B^T D B) * (A dY A^T)] G

These operations replace those of the same name in conv2d and fused, and call them for layers where the method is not
faster. `load(..., exact=True)` disables them. On a GPU, weight gradients are direct sums.

Rounding errors are larger than those of direct sums, because the transforms multiply by up to 8. Over the convolutions
of all networks in models/ and 85 random ones, with float64 sums as the truth, the largest error was 1.3e-5 of the
largest number of the array, and half of the errors were below 6e-6; direct sums had up to 1.7e-6 (November 2026).
Numbers above 1e36 overflow in the transforms, and infinity or NaN spreads over its whole tile of outputs.

F(2x2, 3x3) has a twentieth of the error. But it takes 2.2 times as long, little less than direct sums. It computes only
tiles at the edge that have at most two rows or columns of outputs.

References
----------
Lavin and Gray (2016), Fast algorithms for convolutional neural networks.
"""

OPS = (
    "conv2d_forward",
    "conv2d_relu_forward",
    "conv2d_relu_maxpool_forward",
    "conv2d_relu_avgpool_forward",
    "conv2d_backward",
    "conv2d_relu_maxpool_backward",
    "conv2d_relu_avgpool_backward",
)
