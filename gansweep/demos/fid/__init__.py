"""Experiments on FID itself: bias and scatter, dropped classes, disturbed images, other extractors."""

from gansweep.demos.fid.experiments import EXPERIMENTS, Experiment, run

__all__ = ["EXPERIMENTS", "Experiment", "run"]
