"""Named sets of options for `fastdigits train`; any option on the command line overrides them."""

# Pixels, degrees, shares: about as much as people's hands differ. Chosen on validation images.
AUGMENT = "shift=1.5,rotate=8,scale=0.08,shear=4,elastic=0.6"
AUGMENT_LITTLE = "shift=1,rotate=6,scale=0.06,shear=3,elastic=0.4"  # for networks too small to learn all of that

# What a network trains with unless a recipe or an option says otherwise, where that is not the default
MODEL_SETTINGS: dict[str, dict[str, object]] = {
    "cnn": {"epochs": 20, "augment": AUGMENT},
    "record": {"epochs": 20, "augment": AUGMENT},
    "alexnet": {"lr": 0.001},  # without normalised batches, larger steps lose it
    "tiny-8k": {"epochs": 30, "lr": 0.012, "augment": AUGMENT_LITTLE},
    "tiny-20k": {"epochs": 20, "augment": AUGMENT},
    "best": {"epochs": 20, "augment": AUGMENT},
}

RECIPES: dict[str, dict[str, object]] = {
    "default": {},
    # 99 % in one epoch over all training images, so none is left to validate on. Chosen on 10,000 of them held out.
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
    """The settings that a network trains with by a recipe: its own, where the recipe does not say otherwise."""
    chosen = MODEL_SETTINGS.get(model, {}) | RECIPES[recipe]
    return {name: value for name, value in chosen.items() if name != "model"}
