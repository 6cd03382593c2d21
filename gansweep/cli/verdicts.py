"""The verdicts on variants, as lines of text."""

from collections.abc import Iterator, Mapping

from gansweep.contracts import CONTRACTS, check, requirement
from gansweep.variants import Published

_WIDTH = max(map(len, CONTRACTS))


def verdicts(variants: Mapping[str, Published]) -> Iterator[tuple[str, bool]]:
    """Check variants by name; yields each line with whether it reports a broken contract."""
    broken = []
    for name, published in variants.items():
        yield f"{name}: {published.label}", False
        n_kept, seconds = 0, 0.0
        for verdict in check(name, published):
            word = "BROKEN" if verdict.reason else "kept"
            columns = f"{word:<6}  {verdict.seconds:5.2f} s  {verdict.contract:<{_WIDTH}}"
            yield f"  {columns}  {requirement(verdict.contract)}", bool(verdict.reason)
            if verdict.reason:
                yield f"{'':19}{verdict.reason}", True
            n_kept, seconds = n_kept + (not verdict.reason), seconds + verdict.seconds
        if n_kept < len(CONTRACTS):
            broken.append(name)
        yield f"  {name} keeps {n_kept} of {len(CONTRACTS)} contracts ({seconds:.1f} s)", False
        yield "", False
    kept = f"{len(variants) - len(broken)} of {len(variants)} variants keep every contract"
    yield kept + (f"; not {', '.join(broken)}" if broken else ""), bool(broken)
