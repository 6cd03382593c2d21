"""Pictures of samples."""

import io

import pytest
import torch
from torchvision.transforms.functional import to_pil_image
from torchvision.utils import make_grid

from gansweep.training.samples import grid


@pytest.mark.parametrize("shape", [(1, 1, 8, 8), (1, 3, 5, 7), (5, 1, 8, 8), (8, 3, 4, 4), (19, 1, 28, 28)])
@pytest.mark.parametrize("columns", [3, 8])
def test_a_grid_is_the_picture_of_torchvision(shape, columns):
    images = torch.randint(256, shape, dtype=torch.uint8)
    picture = to_pil_image(make_grid(images, nrow=columns, padding=1, pad_value=255))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    assert grid(images, columns) == buffer.getvalue()
