"""Experiments on FID itself: bias and scatter, dropped classes, disturbed images, other extractors."""

from gansweep.demos.fid.experiments import run

__all__ = ["run"]
