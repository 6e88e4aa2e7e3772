"""Batch normalisation, channel by channel: the same mean and spread for every channel, whatever the layer before does.

y[b, c, s, l] = (x[b, c, s, l] - mean[c]) / sqrt(var[c] + epsilon) gamma[c] + beta[c]

A batch that is learned from has its own mean and variance, over all its images and pixels s; the running ones
serve afterwards. Lanes beyond the last image of a batch repeat it, so that `count`, the number of images, says
which lanes there are: the others neither count nor get a gradient.
"""

OPS = ("batchnorm_forward", "batchnorm_inference", "batchnorm_backward", "batchnorm_fold")
