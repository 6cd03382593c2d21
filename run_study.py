"""Run a study, here or on a Ray cluster: `python run_study.py --study quickstart`."""

import sys

from gansweep.cli import run_study_main

if __name__ == "__main__":
    sys.exit(run_study_main())
