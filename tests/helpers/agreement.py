"""Scores of prepared images by exported networks, in each program that runs them, and ours to compare with.

A function here has the parameters (saved, images), or also `folder` for files, and returns the scores (N, classes) of
images uint8 (N, rows, columns).
"""

import shutil

import chromium
import numpy as np
import outside

from fastdigits import export, ops
from fastdigits.data.batches import Batches
from fastdigits.export import tensors
from fastdigits.inference.evaluate import forward_all

TOLERANCE = 2e-4  # of the range of the scores
INT8_LOSS = 0.001  # of the accuracy
BATCH = 500
COMPILER = shutil.which("cc")
MAX_PAGE_S = 100  # for outside.PAGE_BATCH images


def ours(saved, images):
    device = ops.load("cpu")
    network, batches = saved.built(device, 256), Batches(device, images, None, 256, saved.normalisation)
    found = forward_all(network, batches, np.arange(len(images)))
    return np.moveaxis(found.host_scores, 1, -1)[found.host_targets >= 0]


def onnxruntime(saved, images):
    from onnxruntime import InferenceSession

    content = export.encode(saved, "onnx", export.ExportOptions(preprocessing="uint8")).content
    session = InferenceSession(content, providers=["CPUExecutionProvider"])
    return _in_batches(lambda some: session.run(None, {"pixels": some[:, None]})[0], images)


def pytorch(saved, images):
    import torch

    defined = {}
    exec(export.encode(saved, "torch", export.ExportOptions()).content, defined)
    network = defined["Network"]()
    network.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.state_dict(saved).items()})
    network.eval()
    with torch.inference_mode():
        return _in_batches(lambda some: network(defined["prepare"](torch.from_numpy(some))).numpy(), images)


def compiled_c(saved, images, folder, int8=False):
    content = export.encode(saved, "c", export.ExportOptions(int8=int8)).content
    return outside.scores_of_program(outside.compiled(COMPILER, content, folder, "-O3"), images)


def page(saved, images, folder):
    content = export.encode(saved, "html", export.ExportOptions()).content
    browser = chromium.start()
    browser.set_script_timeout(MAX_PAGE_S)
    try:
        return outside.scores_of_page(browser, content, images, folder)
    finally:
        browser.quit()


def difference(found, expected):
    """The largest difference, relative to the range of the expected scores."""
    return float(np.abs(found - expected).max() / np.ptp(expected))


def _in_batches(compute, images):
    return np.concatenate([compute(images[first : first + BATCH]) for first in range(0, len(images), BATCH)])
