"""Which weights can a network start from, where do they lie, and do they fit?

Nothing here touches the network. Importing this package does not import torch: `fitting` and
`tensors` do.
"""

from zoo.weights.card import BadWeights, MissingWeights, UnknownWeights, WeightsCard
from zoo.weights.files import fetched_file, record_of, weights_file, weights_sha256
from zoo.weights.known import starts, weights_card

__all__ = [
    "BadWeights",
    "MissingWeights",
    "UnknownWeights",
    "WeightsCard",
    "fetched_file",
    "record_of",
    "starts",
    "weights_card",
    "weights_file",
    "weights_sha256",
]
