"""Batch normalization: give each channel the mean beta and the standard deviation gamma.

y[b, c, s, l] = (x[b, c, s, l] - mean[c]) / sqrt(var[c] + epsilon) gamma[c] + beta[c]

Training uses the mean and variance of the batch, over all images and pixels s; inference uses running averages.
`count` is the number of images in the batch. Lanes after the last image are excluded from the statistics, and
their gradient is 0.
"""

OPS = ("batchnorm_forward", "batchnorm_inference", "batchnorm_backward", "batchnorm_fold")
