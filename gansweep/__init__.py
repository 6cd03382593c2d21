"""gansweep: fair, large comparisons of GAN objectives."""

__version__ = "0.1.0"
