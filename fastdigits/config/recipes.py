"""Named sets of options for `fastdigits train`; any option on the command line overrides them."""

# About as much as handwriting varies; chosen by validation accuracy.
AUGMENT = "shift=1.5,rotate=8,scale=0.08,shear=4,elastic=0.6"
AUGMENT_LITTLE = "shift=1,rotate=6,scale=0.06,shear=3,elastic=0.4"  # for networks that are too small for AUGMENT

# Default settings of a network where they differ from those of TrainConfig; recipes and options override them
MODEL_SETTINGS: dict[str, dict[str, object]] = {
    "cnn": {"epochs": 20, "augment": AUGMENT},
    "record": {"epochs": 20, "augment": AUGMENT},
    "alexnet": {"lr": 0.001},  # has no batch normalization; training diverges at larger rates
    "tiny-8k": {"epochs": 30, "lr": 0.012, "augment": AUGMENT_LITTLE},
    "tiny-20k": {"epochs": 20, "augment": AUGMENT},
    "best": {"epochs": 20, "augment": AUGMENT},
}

# Default settings of a training that starts from a trained network; its learning rate is that of the optimizer divided
# by FINE_TUNING_LR_DIVISOR, and images are augmented as in the first training
FINE_TUNING: dict[str, object] = {"epochs": 5}
FINE_TUNING_LR_DIVISOR = 10
# With a replay of earlier images, which the network is to keep
REPLAY_LR_DIVISOR, REPLAY_WARMUP, REPLAY_EMA = 30, 0.3, 0.998

RECIPES: dict[str, dict[str, object]] = {
    "default": {},
    # Reaches 99 % test accuracy after one epoch on all training images. Chosen with 10,000 of them held out.
    "fast": {
        "model": "fast",
        "epochs": 1,
        "batch_size": 64,
        "optimizer": "adamw",
        "lr": 0.012,
        "beta1": 0.85,
        "beta2": 0.97,
        "weight_decay": 0.3,
        "label_smoothing": 0.1,
        "validation": 0,
    },
    "best": {"model": "best"},
}


def model_settings(model: str, recipe: str) -> dict[str, object]:
    """Return the settings of a network, overridden by those of a recipe."""
    chosen = MODEL_SETTINGS.get(model, {}) | RECIPES[recipe]
    return {name: value for name, value in chosen.items() if name != "model"}
