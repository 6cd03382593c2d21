"""Two strided convolutions and two dense layers: the networks of Lucic et al. (2018), at any even size / 4.

Source: Lucic et al., "Are GANs Created Equal? A Large-Scale Study", 2018, arXiv:1711.10337, and its released
code (compare_gan v1). Deviations: batch norm has no running averages (see `layers.BatchNorm`).

Every network takes and gives images as [B, C, H, W] in [0, 1].
"""

from torch import Tensor, nn
from torch.nn.functional import leaky_relu, relu

from gansweep.networks.layers import BatchNorm, Conv, Deconv, Linear


def build(
    role: str,
    z_dim: int,
    features: tuple[int, ...],
    std: float | None,
    shape: tuple[int, ...],
    batchnorm: bool,
) -> nn.Module:
    """The network for a role: generator, decoder, discriminator, autoencoder or encoder."""
    sizes = (features[0], features[1], features[2], std)
    if role in ("generator", "decoder"):
        return Generator(shape, z_dim, sizes, leaky=role == "generator")
    if role == "autoencoder":
        return Autoencoder(shape, z_dim, sizes, batchnorm)
    return Discriminator(shape, sizes, batchnorm, n_out=1 if role == "discriminator" else 2 * z_dim)


Sizes = tuple[int, int, int, float | None]


def norm(features: int, on: bool) -> nn.Module:
    """Batch norm, or nothing."""
    return BatchNorm(features) if on else nn.Identity()


class Upsampler(nn.Module):
    """[B, h * w * c2] hidden activations -> [B, C, 4h, 4w] images: batch norm and two deconvolutions."""

    def __init__(self, shape: tuple[int, ...], sizes: Sizes, batchnorm: bool, leaky: bool) -> None:
        super().__init__()
        c1, self.c2, _, std = sizes
        channels, self.side = shape[0], shape[1] // 4
        self.norm1 = norm(self.side**2 * self.c2, batchnorm)
        self.deconv1 = Deconv(self.c2, c1, std)
        self.norm2 = norm(c1, batchnorm)
        self.deconv2 = Deconv(c1, channels, std)
        self.leaky = leaky

    def forward(self, hidden: Tensor) -> Tensor:
        x = self.activate(self.norm1(hidden)).view(-1, self.side, self.side, self.c2)
        x = self.activate(self.norm2(self.deconv1(x)))
        return self.deconv2(x).sigmoid().movedim(-1, 1)

    def activate(self, x: Tensor) -> Tensor:
        return leaky_relu(x, 0.2) if self.leaky else relu(x)


class Generator(nn.Module):
    """z [B, z_dim] -> images. `leaky` False gives the VAE's decoder, which has plain ReLUs."""

    def __init__(self, shape: tuple[int, ...], z_dim: int, sizes: Sizes, leaky: bool) -> None:
        super().__init__()
        _, c2, hidden, std = sizes
        self.dense1 = Linear(z_dim, hidden, std)
        self.norm = BatchNorm(hidden)
        self.dense2 = Linear(hidden, (shape[1] // 4) ** 2 * c2, std)
        self.up = Upsampler(shape, sizes, batchnorm=True, leaky=leaky)

    def forward(self, z: Tensor) -> Tensor:
        return self.up(self.dense2(self.up.activate(self.norm(self.dense1(z)))))


class Discriminator(nn.Module):
    """Images -> scores [B], or [B, n_out] when n_out > 1 (the VAE's encoder)."""

    def __init__(self, shape: tuple[int, ...], sizes: Sizes, batchnorm: bool, n_out: int) -> None:
        super().__init__()
        c1, c2, hidden, std = sizes
        self.conv1 = Conv(shape[0], c1, std)
        self.conv2 = Conv(c1, c2, std)
        self.norm1 = norm(c2, batchnorm)
        self.dense1 = Linear((shape[1] // 4) ** 2 * c2, hidden, std)
        self.norm2 = norm(hidden, batchnorm)
        self.dense2 = Linear(hidden, n_out, std)

    def forward(self, x: Tensor) -> Tensor:
        x = leaky_relu(self.conv1(x.movedim(1, -1)), 0.2)
        x = leaky_relu(self.norm1(self.conv2(x)), 0.2).flatten(1)
        x = self.dense2(leaky_relu(self.norm2(self.dense1(x)), 0.2))
        return x.squeeze(1) if x.shape[1] == 1 else x


class Autoencoder(nn.Module):
    """Images -> their reconstruction through a code of z_dim numbers: BEGAN's D."""

    def __init__(self, shape: tuple[int, ...], z_dim: int, sizes: Sizes, batchnorm: bool) -> None:
        super().__init__()
        c1, c2, _, std = sizes
        n_hidden = (shape[1] // 4) ** 2 * c2
        self.conv1 = Conv(shape[0], c1, std)
        self.conv2 = Conv(c1, c2, std)
        self.dense1 = Linear(n_hidden, z_dim, std)
        self.norm = norm(z_dim, batchnorm)
        self.dense2 = Linear(z_dim, n_hidden, std)
        self.up = Upsampler(shape, sizes, batchnorm, leaky=True)

    def forward(self, x: Tensor) -> Tensor:
        x = leaky_relu(self.conv1(x.movedim(1, -1)), 0.2)
        code = leaky_relu(self.norm(self.dense1(self.conv2(x).flatten(1))), 0.2)
        return self.up(self.dense2(code))
