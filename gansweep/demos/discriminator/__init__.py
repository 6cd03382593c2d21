"""Demonstrations: one variant on data of one dimension, its discriminator beside the best one."""

from gansweep.demos.discriminator.drawing import write_pictures
from gansweep.demos.discriminator.explanation import explanation
from gansweep.demos.discriminator.training import Training, record_training

__all__ = ["Training", "explanation", "record_training", "write_pictures"]
