"""Networks of a few hundred weights, and images to put through them."""

import torch

from cardioseg.networks import ARCHITECTURES

TINY = {
    "width": 16,
    "heads": 2,
    "stem_channels": (8, 8),
    "loops": 3,
    "max_loops": 4,
    "expert_hidden": 8,
}


def build(name, changes, seed=0):
    """A network with tiny sizes, freshly initialised."""
    torch.manual_seed(seed)
    network, config = ARCHITECTURES[name]
    tiny = {key: value for key, value in TINY.items() if key in config.model_fields}
    return network(config(**tiny | changes))


def stir(network, amount=0.1):
    """As after some training: nothing is still zero or the identity."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(amount * torch.randn_like(parameter))
    return network


def image_for(network, batch=2, size=None):
    dimensions = len(network.config.patch_size)
    size = size or {2: (24, 16), 3: (8, 16, 24)}[dimensions]
    return torch.randn(
        batch, network.config.channels, *size, generator=torch.Generator().manual_seed(5)
    )
