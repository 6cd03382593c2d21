"""What pyproject.toml cannot say: the wheel carries the studies, and the files that describe clusters."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = ("studies/*.py", "cluster*.yaml", "run_study.py")


class WithShipped(build_py):
    """Copies them into gansweep/shipped/; an installation in place finds them where they are."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for pattern in SHIPPED:
            for file in sorted(Path().glob(pattern)):
                target = Path(self.build_lib) / "gansweep" / "shipped" / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)


setup(cmdclass={"build_py": WithShipped})
