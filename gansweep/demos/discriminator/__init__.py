"""Demonstrations: one variant on data of one dimension, its discriminator beside the best one."""

from gansweep.demos.discriminator.drawing import write_pictures
from gansweep.demos.discriminator.explanation import lesson
from gansweep.demos.discriminator.training import TARGETS, Course, follow

__all__ = ["TARGETS", "Course", "follow", "lesson", "write_pictures"]
