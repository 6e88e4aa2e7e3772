"""Convolution with 3 x 3 kernels by Winograd's method: a quarter of the multiplications.

F(4x4, 3x3): with the matrices A, B and G of transforms.py, a tile Y of 4 x 4 outputs is computed from 6 x 6 inputs D as

    Y = A^T [sum over c of (G g G^T) * (B^T D B)] A

where * multiplies element by element: 36 multiplications instead of 144 for 16 outputs. For each of the 36 elements,
the sum over channels is a matrix product. The gradients are the transposes of these steps:

    dD = B [sum over o of (G g G^T) * (A dY A^T)] B^T
    dg = G^T [sum over tiles of (B^T D B) * (A dY A^T)] G

These operations replace those of the same name in conv2d and fused, and call them for layers where the method is not
faster. Their results differ from direct sums by about 1e-6 of the largest; `load(..., exact=True)` disables them.

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
