"""Where a network of convolutions looked: Grad-CAM (Selvaraju et al. 2017)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


def grad_cam(
    network: nn.Module, images: Float[Tensor, "batch channel height width"]
) -> tuple[Float[Tensor, "batch height width"], Float[Tensor, "batch class"]]:
    """How much each place speaks for the class answered, from 0 to 1, and all probabilities.

    L = relu(Σ_k α_k A_k), α_k the mean over positions of ∂y/∂A_k (eq. 1 and 2), A the last
    convolutional features: the network has ``features`` and ``answer``. An image on which nothing
    speaks for the class is 0 everywhere.
    """
    with torch.no_grad():
        maps = network.features(images)  # pyright: ignore[reportCallIssue]
    maps = maps.detach().requires_grad_()
    with torch.enable_grad():
        scores = network.answer(maps)  # pyright: ignore[reportCallIssue]
        (slopes,) = torch.autograd.grad(scores.max(1).values.sum(), maps)
    weights = slopes.mean((2, 3), keepdim=True)
    salient = (weights * maps).sum(1, keepdim=True).relu().detach()
    salient = F.interpolate(salient, size=images.shape[2:], mode="bilinear", align_corners=False)
    largest = salient.amax((2, 3), keepdim=True)
    salient = salient / largest.clamp(min=torch.finfo(salient.dtype).tiny)
    return salient[:, 0], scores.detach().softmax(-1)
