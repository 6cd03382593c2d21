"""Demonstrations: one variant on data of one dimension, its discriminator beside the best one."""

from gansweep.demo.course import TARGETS, Course, follow
from gansweep.demo.drawing import write_pictures
from gansweep.demo.words import lesson

__all__ = ["TARGETS", "Course", "follow", "lesson", "write_pictures"]
