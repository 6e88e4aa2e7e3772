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
# Those of the CPU; on the reference they differ by less than 2e-7
GOLDEN_LOSSES = [3.207163, 2.638632, 2.466868, 2.290971, 2.339007, 2.263841, 2.203878, 2.092086, 2.108817, 2.041323]
