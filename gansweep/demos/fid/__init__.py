"""How far FID itself can be trusted: bias and scatter, lost classes, disturbed images, other extractors."""

from gansweep.demos.fid.experiments import EXPERIMENTS, Experiment, run

__all__ = ["EXPERIMENTS", "Experiment", "run"]
