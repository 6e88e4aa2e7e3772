"""Golden losses: ten training steps of lenet whose losses no change of kernels may move."""

from fastdigits.config.training import TrainConfig

# All that decides the golden losses, whatever the defaults become
GOLDEN_CONFIG = TrainConfig(
    epochs=1,
    batch_size=32,
    optimizer="momentum",
    lr=0.005,
    weight_decay=0.001,
    schedule="constant",
    validation=0,
    seed=7,
)
# Those of the CPU; with 4, 8 and 16 lanes and on the reference they differ by less than 1e-7
GOLDEN_LOSSES = [3.339368, 2.883378, 2.464363, 2.315830, 2.244450, 2.244684, 2.140191, 2.073792, 2.147831, 2.131106]
