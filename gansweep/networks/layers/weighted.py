"""Layers for one member that stay cheap when a pack runs many members at once.

Images are [B, H, W, C]. A convolution is patches times a matrix, or for small images the image times one
matrix. Inside a pack this becomes one batched matrix product. PyTorch's grouped convolution with many small
filters is several times slower on a CPU, and its second derivative loops over members. Weights are stored in
the layout of the product.
"""

import math

import torch
from torch import Tensor, nn

from gansweep.networks.layers.bfloat16 import bfloat16_product, uses_bfloat16
from gansweep.networks.layers.patches import fold_4x4, patches_3x3, patches_4x4
from gansweep.networks.layers.toeplitz import conv_matrix, deconv_matrix

N_FIRST_ITERATIONS = 15  # enough for a good first estimate of a spectral norm


def matmul_2d(x: Tensor, weight: Tensor) -> Tensor:
    """Returns [..., i] times [i, o] as a product of matrices; with more axes a pack would copy weights."""
    flat = x.reshape(-1, x.shape[-1])
    if weight.shape[1] == 1:  # products with a single column, and their gradients, are slow as batches
        y = (flat * weight.T).sum(1, keepdim=True)
    else:
        y = bfloat16_product(flat, weight) if uses_bfloat16(x) else flat @ weight
    return y.view(*x.shape[:-1], weight.shape[1])


class MatrixLayer(nn.Module):
    """A layer that multiplies by a matrix [i, o], divided by its spectral norm if `spectral`.

    Source: Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018,
    arXiv:1802.05957, eq. 8 and algorithm 1. The gradient treats `u` and `v` as constants; the training loop
    updates them by `power_iteration`. The norm is that of the stored matrix: for a convolution, of the map
    from patches to features, as in the paper. Deviations: 15 iterations at the start; for a transposed
    convolution the norm is that of the map from features to patches.
    """

    weight: nn.Parameter
    u: Tensor
    v: Tensor
    spectral = False

    def matrix(self) -> Tensor:
        """Returns the effective weight."""
        if not self.spectral:
            return self.weight
        return self.weight / (self.u @ self.weight @ self.v)

    @torch.no_grad()
    def normalise(self) -> None:
        """Switch spectral normalisation on."""
        u, v = power_iteration(self.weight, torch.randn(self.weight.shape[0]))
        for _ in range(N_FIRST_ITERATIONS - 1):
            u, v = power_iteration(self.weight, u)
        self.register_buffer("u", u)
        self.register_buffer("v", v)
        self.spectral = True


def power_iteration(weight: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the next u [i] and v [o], of length 1; u^T W v approaches the spectral norm of W [i, o]."""
    v = _direction(u @ weight)
    return _direction(weight @ v), v


def _direction(x: Tensor) -> Tensor:
    unit: Tensor = x / x.norm().clamp_min(1e-12)
    return unit


class Linear(MatrixLayer):
    """[..., i] -> [..., o]; the weight is stored [i, o] and drawn from N(0, std^2), the bias is 0.

    `std` None takes sqrt(2 / i) (He et al., 2015, arXiv:1502.01852). On images it is a 1x1 convolution.
    """

    def __init__(self, i: int, o: int, std: float | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(i, o) * (std or math.sqrt(2 / i)))
        self.bias = nn.Parameter(torch.zeros(o))

    def forward(self, x: Tensor) -> Tensor:
        return matmul_2d(x, self.matrix()) + self.bias


class Conv(MatrixLayer):
    """[B, H, W, i] -> [B, H/2, W/2, o]: a 4x4 convolution with stride 2 and padding 1.

    The weight is [16 i, o], drawn from a normal distribution truncated at two standard deviations.
    """

    def __init__(self, i: int, o: int, std: float | None) -> None:
        super().__init__()
        self.weight = truncated_normal(16 * i, o, std)
        self.bias = nn.Parameter(torch.zeros(o))

    def forward(self, x: Tensor) -> Tensor:
        b, height, width, _ = x.shape
        features = len(self.bias)
        if height * width * features <= 16 * b:  # the matrix has fewer numbers than the patches
            y = matmul_2d(x.flatten(1), conv_matrix(self.matrix(), height, width))
            return y.view(b, height // 2, width // 2, features) + self.bias
        return matmul_2d(patches_4x4(x), self.matrix()) + self.bias


class Conv3x3(MatrixLayer):
    """[B, H, W, i] -> [B, H, W, o]: a 3x3 convolution with stride 1 and padding 1; the weight is [9 i, o]."""

    def __init__(self, i: int, o: int, std: float | None) -> None:
        super().__init__()
        self.weight = truncated_normal(9 * i, o, std)
        self.bias = nn.Parameter(torch.zeros(o))

    def forward(self, x: Tensor) -> Tensor:
        return matmul_2d(patches_3x3(x), self.matrix()) + self.bias


class Deconv(MatrixLayer):
    """[B, h, w, i] -> [B, 2h, 2w, o]: the transpose of a 4x4 convolution with stride 2 and padding 1.

    The weight is [i, 16 o], drawn from N(0, std^2).
    """

    def __init__(self, i: int, o: int, std: float | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(i, 16 * o) * (std or math.sqrt(2 / (4 * i))))
        self.bias = nn.Parameter(torch.zeros(o))

    def forward(self, x: Tensor) -> Tensor:
        b, height, width, features = x.shape
        if 4 * height * width * features <= 16 * b:  # the matrix has fewer numbers than the patches
            y = matmul_2d(x.flatten(1), deconv_matrix(self.matrix(), height, width))
            return y.view(b, 2 * height, 2 * width, len(self.bias)) + self.bias
        return fold_4x4(matmul_2d(x, self.matrix())) + self.bias


def truncated_normal(i: int, o: int, std: float | None) -> nn.Parameter:
    std = std or math.sqrt(2 / i)
    return nn.Parameter(nn.init.trunc_normal_(torch.empty(i, o), std=std, a=-2 * std, b=2 * std))


class Upsample2x(nn.Module):
    """[B, h, w, C] -> [B, 2h, 2w, C]: nearest-neighbour upsampling."""

    def forward(self, x: Tensor) -> Tensor:
        b, h, w, c = x.shape
        return x[:, :, None, :, None].expand(b, h, 2, w, 2, c).reshape(b, 2 * h, 2 * w, c)


class MeanPool2x(nn.Module):
    """[B, H, W, C] -> [B, H/2, W/2, C]: the mean of every four pixels."""

    def forward(self, x: Tensor) -> Tensor:
        b, h, w, c = x.shape
        return x.reshape(b, h // 2, 2, w // 2, 2, c).mean((2, 4))
