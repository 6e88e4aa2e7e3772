"""What a network sees in one image: what every layer makes of it, and which pixels decide."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastdigits.dataset.batches import Batches
from fastdigits.nn import Dropout, Flatten, Network
from fastdigits.nn.stages import stages_of
from fastdigits.weights import SavedNetwork

UNCHANGING = (Flatten, Dropout)  # layers that, in use, hand on what they get


@dataclass(frozen=True, eq=False)
class Explanation:
    """How a network reads an image.

    Attributes
    ----------
    image : uint8 (H, W)
        As the network sees it, prepared.
    probabilities : float32 (classes,)
    maps : dict of float32 arrays (C, H, W) or (units,)
        What each stage of the network makes, by the names of its layers.
    saliency : float32 (H, W)
        The gradient of the winning score by the brightness, 0 to 1, of each pixel.
    """

    image: np.ndarray
    probabilities: np.ndarray
    maps: dict[str, np.ndarray]
    saliency: np.ndarray

    @property
    def digit(self) -> int:
        """The class of the highest score."""
        return int(self.probabilities.argmax())


def explain(saved: SavedNetwork, image: np.ndarray, ops: Any) -> Explanation:
    """Read an image, uint8 (H, W), and look at what happens in the network.

    Raises
    ------
    UserError
        If the network reads images of another size.

    References
    ----------
    Simonyan, Vedaldi and Zisserman (2014), Deep inside convolutional networks: visualising image classification
    models and saliency maps.
    """
    network, images, label = Network.from_config(saved.network), image[np.newaxis], np.zeros(1, np.uint8)
    network.check_images(images, label, saved.normalisation.preparation.pad)
    network.build(ops, 1, fused=False)
    network.set_values(saved.values)
    batches = Batches(ops, images, label, 1, saved.normalisation)
    [(x, _, _)] = batches.over(ops.upload(np.zeros(1, np.int32)))
    scores, gradient = gradient_of_winner(network, x)
    shares = ops.empty(scores.shape)
    ops.softmax(scores, shares)
    return Explanation(
        image=saved.normalisation.preparation.apply(images)[0],
        probabilities=_of_first(ops, shares),
        maps=_maps(network),
        saliency=_of_first(ops, gradient)[0] / np.float32(saved.normalisation.std),
    )


def gradient_of_winner(network: Network, x: Any) -> tuple[Any, Any]:
    """The scores of a batch x (B, C, H, W, L), and the gradient of the highest score of its first image by x.

    The network must be built for training and without fused steps.
    """
    ops, scores = network.ops, network.forward(x)
    winner = np.zeros(scores.shape, np.float32)
    winner[0, _of_first(ops, scores).argmax(), 0] = 1
    return scores, network.input_gradient(ops.upload(winner))


def _maps(network: Network) -> dict[str, np.ndarray]:
    """What the stages made of the first image of the last batch."""
    maps = {}
    for stage in stages_of(network):
        making = [layer for layer in stage.layers if not isinstance(layer, UNCHANGING)]
        if making:
            changes = [type(layer).__name__ for layer in stage.layers[1:]]
            maps[", ".join([stage.names[0], *changes])] = _of_first(network.ops, making[-1].y)
    return maps


def _of_first(ops: Any, array: Any) -> np.ndarray:
    return ops.download(array)[0, ..., 0]
