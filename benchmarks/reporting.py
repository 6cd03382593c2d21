"""How long a report takes, and how large it is, for more and more trials: `python benchmarks/reporting.py`.

The studies are synthetic: eight variants on two data sets, searched, confirmed and replicated. Each report is
written in a process of its own; the ratio is to the smallest study of the same run.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

TRIALS = (30, 125, 625)  # of a cell
ROOT = Path(__file__).resolve().parents[1]
REPORT = "import sys; from gansweep.report import write_report; write_report(sys.argv[1])"

sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]
from synthetic import make_study  # noqa: E402


def main() -> None:
    """Print a line for each size."""
    print(f"{'search trials':>14} {'all trials':>11} {'seconds':>8} {'ratio':>6} {'page, MB':>9}")
    first = None
    for trials in TRIALS:
        with tempfile.TemporaryDirectory() as scratch:
            folder = make_study(
                Path(scratch) / "study",
                trials=trials,
                confirm={"top": 3, "reruns": 3, "seeds": 10},
                replicate={"configurations": 8, "seeds": 3},
                same_configurations=True,
                metrics=("test_fid", "kid", "isc"),
                samples=False,
            )
            n_all = sum('"outcome": null' not in line for line in (folder / "rows.jsonl").open())
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", REPORT, str(folder)], check=True, cwd=ROOT)
            seconds = time.perf_counter() - started
            first = first or seconds
            size = (folder / "report" / "index.html").stat().st_size / 1e6
            print(
                f"{16 * trials:>14,} {n_all:>11,} {seconds:>8.1f} {seconds / first:>6.1f} {size:>9.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
