"""Named sets of options for `fastdigits train`; any option on the command line overrides them."""

# What a network trains with unless a recipe or an option says otherwise, where that is not the default
MODEL_SETTINGS: dict[str, dict[str, object]] = {
    "alexnet": {"lr": 0.001},  # without normalised batches, larger steps lose it
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
}
