"""How long a report takes, how large its page is and how fast it opens, of two checkouts in turns.

    python benchmarks/reporting.py BASE [--other .] [--trials 60 125 1250] [--turns 3]

The studies are synthetic: eight variants on one data set, with samples and fresh seeds. Each report is
written in a process of its own; the processes take turns (A B B A). A headless Chromium opens each page in a
window of 1400 x 900 pixels. It prints, for each number of trials of a variant, medians and ranges of

    seconds of CPU (user) to write the report; MB of its page; screens of the page, as it opens;
    seconds from navigation to the first paint of content.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPORT = "import sys; from gansweep.report import write_report; write_report(sys.argv[1])"
PAINT = """
const paints = performance.getEntriesByName("first-contentful-paint");
return [paints.length ? paints[0].startTime / 1000 : null, document.documentElement.scrollHeight / 900];
"""

sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]
from devtools import Tab, tab  # noqa: E402
from synthetic import make_study  # noqa: E402


def write(checkout: Path, folder: Path) -> float:
    """Write a report; returns the seconds of CPU that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", REPORT, str(folder)], cwd=checkout, env=environment, check=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def opened(browser: Tab, page: Path) -> tuple[float, float]:
    """Open a page; returns the seconds until its first paint and its height in screens."""
    browser.open(page, width=1400)
    browser.picture(page.with_name("seen.png"))  # makes it paint
    paint, screens = browser.run(PAINT)
    return float(paint), float(screens)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("base", type=Path, help="the checkout to compare with")
    parser.add_argument("--other", type=Path, default=Path(), help="default: the working directory")
    parser.add_argument("--trials", type=int, nargs="+", default=[60, 125, 1250], help="of a variant")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    checkouts = [options.base.resolve(), options.other.resolve()]
    print(f"load before: {os.getloadavg()[0]:.1f}")
    print(f"{'trials':>7}{'':>8}{'CPU, s':>22}{'page, MB':>10}{'screens':>9}{'first paint, s':>22}")
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place,
        tab(Path(place) / "profile") as browser,
    ):
        for trials in options.trials:
            compare(checkouts, trials, options.turns, Path(place) / str(trials), browser)


def compare(checkouts: list[Path], trials: int, turns: int, place: Path, browser: Tab) -> None:
    """Print a line for each checkout, and one of their ratios."""
    folders = [
        make_study(place / name, datasets=1, trials=trials, confirm={"top": 1, "reruns": 1, "seeds": 10})
        for name in ("base", "other")
    ]
    found: list[list[tuple[float, float, float]]] = [[], []]
    for turn in range(turns):
        for i in (0, 1) if turn % 2 == 0 else (1, 0):
            seconds = write(checkouts[i], folders[i])
            found[i].append((seconds, *opened(browser, folders[i] / "report" / "index.html")))
    medians = []
    for name, folder, each in zip(("base", "other"), folders, found, strict=True):
        seconds, paints, screens = zip(*each, strict=True)
        size = (folder / "report" / "index.html").stat().st_size / 1e6
        medians.append((statistics.median(seconds), size, screens[0], statistics.median(paints)))
        print(
            f"{8 * trials:>7,}{name:>8}{of(seconds):>22}{size:>10.2f}{screens[0]:>9.1f}{of(paints):>22}",
            flush=True,
        )
    ratios = [after / before for before, after in zip(*medians, strict=True)]
    print(f"{'':>7}{'ratio':>8}{ratios[0]:>22.2f}{ratios[1]:>10.2f}{ratios[2]:>9.2f}{ratios[3]:>22.2f}")


def of(values: tuple[float, ...]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


if __name__ == "__main__":
    main()
