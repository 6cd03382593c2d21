"""A convolution of small images as one matrix, which is block Toeplitz: from all pixels to all pixels.

The matrix is larger than the kernel, but it is made once for all batches of an update and leaves one product
of matrices for each call. The kernels are those of `patches`: 4x4, stride 2, padding 1.
"""

import torch
from torch import Tensor


def conv_matrix(weight: Tensor, height: int, width: int) -> Tensor:
    """The weight [16 i, o] of a convolution of [H, W, i] -> the matrix [H W i, H/2 W/2 o]."""
    o = weight.shape[1]
    blocks = _blocks(weight.view(16, -1), height, width).view(height * width, height * width // 4, -1, o)
    return blocks.transpose(1, 2).reshape(-1, height * width // 4 * o)


def deconv_matrix(weight: Tensor, height: int, width: int) -> Tensor:
    """The weight [i, 16 o] of a transposed convolution of [h, w, i] -> the matrix [h w i, 2h 2w o]."""
    i = weight.shape[0]
    taps = weight.view(i, 16, -1).transpose(0, 1).reshape(16, -1)
    blocks = _blocks(taps, 2 * height, 2 * width).view(4 * height * width, height * width, i, -1)
    return blocks.permute(1, 2, 0, 3).reshape(height * width * i, -1)


def _blocks(taps: Tensor, height: int, width: int) -> Tensor:
    """For each pair of a pixel of the large image and one of the small, the numbers of the tap that joins
    them, of [16, n], or zeros: [H W h w, n]."""
    down, across = (_meets(side, taps.device) for side in (height, width))
    joined = down[:, None, :, None, :, None, :, None] & across[None, :, None, :, None, :, None, :]
    return joined.reshape(-1, 16).to(taps.dtype) @ taps


def _meets(side: int, device: torch.device) -> Tensor:
    """Whether a line of the large image meets one of the small in a tap: [H, h, 2, 2], the tap as the line
    of its cell of two pixels and the line in that cell."""
    large, taps = torch.arange(side, device=device), torch.arange(4, device=device)
    first = 2 * torch.arange(side // 2, device=device) - 1
    return (large[:, None, None] == first[:, None] + taps).view(side, side // 2, 2, 2)
