"""A convolution of small images as one block Toeplitz matrix, from all pixels to all pixels.

The matrix is larger than the kernel, but it is built once for all batches of an update, and each call is a
single matrix product. The kernels are those of `patches`: 4x4, stride 2, padding 1.
"""

import torch
from torch import Tensor


def conv_matrix(weight: Tensor, height: int, width: int) -> Tensor:
    """Returns the matrix [H W i, H/2 W/2 o] of a convolution of [H, W, i] with the weight [16 i, o]."""
    o = weight.shape[1]
    blocks = _blocks(weight.view(16, -1), height, width).view(height * width, height * width // 4, -1, o)
    return blocks.transpose(1, 2).reshape(-1, height * width // 4 * o)


def deconv_matrix(weight: Tensor, height: int, width: int) -> Tensor:
    """Returns the matrix [h w i, 2h 2w o] of a transposed convolution of [h, w, i], weight [i, 16 o]."""
    i = weight.shape[0]
    taps = weight.view(i, 16, -1).transpose(0, 1).reshape(16, -1)
    blocks = _blocks(taps, 2 * height, 2 * width).view(4 * height * width, height * width, i, -1)
    return blocks.permute(1, 2, 0, 3).reshape(height * width * i, -1)


def _blocks(taps: Tensor, height: int, width: int) -> Tensor:
    """Returns the taps [16, n] that connect pixels of a large and a small image, or zeros: [H W h w, n]."""
    down, across = (_meets(side, taps.device) for side in (height, width))
    joined = down[:, None, :, None, :, None, :, None] & across[None, :, None, :, None, :, None, :]
    return joined.reshape(-1, 16).to(taps.dtype) @ taps


def _meets(side: int, device: torch.device) -> Tensor:
    """Returns whether a tap connects a line of the large image to a line of the small one, [H, h, 2, 2].

    The last two axes are the tap: the line of its cell of two pixels, and the line in that cell.
    """
    large, taps = torch.arange(side, device=device), torch.arange(4, device=device)
    first = 2 * torch.arange(side // 2, device=device) - 1
    return (large[:, None, None] == first[:, None] + taps).view(side, side // 2, 2, 2)
