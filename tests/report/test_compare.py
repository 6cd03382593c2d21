"""A study against its baseline: what is worse is found, what cannot be compared is refused."""

import json
import re
import shutil

import numpy as np
import pytest
from rows import a_study, json_manifest
from synthetic import make_study

from gansweep.errors import UserError
from gansweep.files import dump_json
from gansweep.report.compare.compare import compare_studies
from gansweep.report.comparison import read_comparison
from gansweep.report.statistics import holm, improvement

CONFIRM = {"top": 2, "reruns": 2, "seeds": 12}


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare") / "old"
    return make_study(
        folder, variants=("ns", "wgan_gp"), datasets=1, trials=12, seed=4, samples=False, confirm=CONFIRM
    )


@pytest.fixture
def new(baseline, tmp_path):
    """A copy of the baseline, to be changed."""
    return shutil.copytree(baseline, tmp_path / "new")


def edit(folder, change, variant="wgan_gp"):
    """Give every row of a variant to `change`, which returns the one to have instead, or None."""
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    rows = [change(row) if row["variant"] == variant else row for row in rows]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows if row))


def edit_manifest(folder, **values):
    (folder / "manifest.json").write_text(dump_json(json_manifest(folder) | values))


def times(factor):
    """All FIDs of fresh seeds by a factor."""

    def change(row):
        fid = row["metrics"].get("fid")
        scaled = fid if fid is None or row["phase"] != "confirm" else factor * fid
        return row | {"metrics": {"fid": scaled}}

    return change


def failing(row):
    failure = {"kind": "oom", "message": "out of memory", "step": row["step"]}
    return row | {"outcome": "crashed", "failure": failure} if row["outcome"] else row


def line_of(lines, variant="wgan_gp"):
    return next(line for line in lines if re.match(rf"digits +{variant} ", line))


def test_nothing_changed(baseline, new):
    lines, is_worse = compare_studies(baseline, new)
    assert lines[0] == "B = new against the baseline A = old, 2 cells: 2 no difference seen."
    assert not is_worse and "12 seeds" in line_of(lines) and " 1.00 [" in line_of(lines)
    assert "  50 %   1.000  no difference seen" in line_of(lines)


@pytest.mark.parametrize(("factor", "verdict"), [(1.5, "worse"), (1 / 1.5, "better")])
def test_a_factor_on_every_fid_is_the_ratio(baseline, new, factor, verdict):
    edit(new, times(factor))
    lines, is_worse = compare_studies(baseline, new)
    assert f" {factor:.2f} [" in line_of(lines) and line_of(lines).endswith(f"  {verdict}")
    assert line_of(lines, "ns").endswith("no difference seen")
    assert is_worse == (verdict == "worse")
    assert compare_studies(new, baseline)[1] == (verdict == "better")
    assert lines[0].endswith(f"2 cells: 1 {verdict}, 1 no difference seen.")


def test_how_much_worse_is_allowed(baseline, new):
    edit(new, times(1.5))
    lines, _ = compare_studies(baseline, new)
    low = float(re.search(r"\[([\d.]+),", line_of(lines))[1])
    assert 1 < low < 1.5
    assert compare_studies(baseline, new, worse_by=low - 1.02)[1]
    lines, is_worse = compare_studies(baseline, new, worse_by=low - 0.98)
    assert not is_worse and "worse, but perhaps by no more than" in line_of(lines)
    with pytest.raises(UserError, match=r"worse_by must be at least 0 and finite, but got -0.1"):
        compare_studies(baseline, new, worse_by=-0.1)


def test_p_values_are_adjusted_for_all_cells(baseline, new):
    edit(new, times(1.15))
    edit(new, times(1.1), variant="ns")
    studies = [read_comparison(folder).confirmed_scores("digits") for folder in (baseline, new)]
    p = [improvement(studies[1][name], studies[0][name])[1] for name in ("ns", "wgan_gp")]
    adjusted = dict(zip(("ns", "wgan_gp"), holm(p), strict=True))
    lines, _ = compare_studies(baseline, new)
    for name, value in adjusted.items():
        assert f" %   {value:.3f}  " in line_of(lines, name)
    assert max(adjusted.values()) > 0.001 and adjusted != dict(zip(adjusted, p, strict=True))


def test_a_variant_that_always_fails_now_is_worse(baseline, new):
    edit(new, failing)
    lines, is_worse = compare_studies(baseline, new)
    assert is_worse and "11 trials" in line_of(lines)  # nothing could be confirmed
    assert "  fail     inf [inf, inf]" in line_of(lines) and line_of(lines).endswith("  worse")
    lines, is_worse = compare_studies(new, baseline)
    assert not is_worse and "0.00 [0.00, 0.00]" in line_of(lines) and line_of(lines).endswith("  better")
    lines, is_worse = compare_studies(new, new)
    assert not is_worse and " 1.00 [0.00, inf]      50 %   1.000" in line_of(lines)


def test_searches_are_compared_at_equal_budgets(tmp_path, baseline):
    short = make_study(
        tmp_path / "short", variants=("ns", "began"), datasets=2, trials=12, short=("ns",), samples=False
    )
    lines, _ = compare_studies(baseline, short)
    first = (
        read_comparison(baseline).finished.query("variant == 'ns'").sort_values("trial_number")["score"][:5]
    )
    median = np.median(first)
    assert "5 trials" in line_of(lines, "ns") and f"  {median:.1f}  " in line_of(lines, "ns")
    assert "Variants only in A: wgan_gp." in lines and "Variants only in B: began." in lines
    assert "Data sets only in B: fashion." in lines
    assert any(line.startswith("Trials are the first of each search") for line in lines)


def test_unequal_searches_have_chosen_what_is_confirmed(tmp_path, baseline):
    other = make_study(
        tmp_path / "other", ("ns", "wgan_gp"), 1, trials=9, seed=4, samples=False, confirm=CONFIRM
    )
    lines, _ = compare_studies(baseline, other)
    assert "8 trials" in line_of(lines) and not any("seeds of the configuration" in line for line in lines)
    assert "Fresh seeds are not compared where unequal searches have chosen the configurations." in lines


def test_the_same_configurations(tmp_path):
    folders = [
        make_study(tmp_path / name, ("ns",), 1, trials=9, samples=False, same_configurations=True)
        for name in "ab"
    ]
    assert any(line.startswith("Both searches have drawn the same") for line in compare_studies(*folders)[0])


def test_too_few_runs_are_said_to_be_too_few(tmp_path):
    folders = [make_study(tmp_path / name, ("ns",), 1, trials=4, samples=False) for name in "ab"]
    lines, is_worse = compare_studies(*folders)
    assert not is_worse and "Too few runs to show any difference: ns on digits." in lines


def unlike_measure(folder):
    manifest = json_manifest(folder)
    metrics = {"other": manifest["metrics"]["fid-digits"] | {"n_images": 5000}}
    edit_manifest(folder, metrics=manifest["metrics"] | metrics)
    edit(folder, lambda row: row | {"metric_id": "other"})


def other_budget(**values):
    return lambda folder: edit_manifest(folder, budget=json_manifest(folder)["budget"] | values)


def other_space(folder):
    spaces = json_manifest(folder)["spaces"]
    spaces["wgan_gp"]["lr"] = {"loguniform": [1e-6, 1.0]}
    edit_manifest(folder, spaces=spaces)


@pytest.mark.parametrize(
    ("change", "obstacle"),
    [
        (unlike_measure, "measured differently: n_images 1000 and 5000"),
        (other_space, "other space: lr"),
        (lambda f: edit(f, lambda row: row | {"architecture": "conv"}), "other architecture: mlp and conv"),
        (lambda f: edit(f, lambda row: None), "one of the studies has no measurement"),
        (
            lambda f: edit(
                f, lambda row: row if row["trial_number"] < 2 and row["phase"] == "search" else None
            ),
            "1 finished trial in one of the studies",
        ),
    ],
    ids=["metric", "space", "architecture", "empty", "one trial"],
)
def test_a_cell_that_cannot_be_compared(baseline, new, change, obstacle):
    change(new)
    lines, is_worse = compare_studies(baseline, new)
    assert line_of(lines).endswith(f"  cannot be compared: {obstacle}") and not is_worse
    assert line_of(lines, "ns").endswith("no difference seen")
    assert lines[0].endswith("2 cells: 1 no difference seen, 1 cannot be compared.")
    assert "p-values are adjusted for 1 compared cell (Holm)." in " ".join(lines)


@pytest.mark.parametrize(
    ("change", "obstacle"),
    [
        (other_budget(steps=9), "other steps: 5000 and 9"),
        (other_budget(evaluations=9), "other evaluations: 5 and 9"),
        (lambda f: edit_manifest(f, sampler="tpe"), "other sampler: random and tpe"),
        (
            lambda f: edit_manifest(f, selection={"digits": "validation"}),
            "other selection: test and validation",
        ),
    ],
    ids=["steps", "evaluations", "sampler", "selection"],
)
def test_studies_that_cannot_be_compared_at_all(baseline, new, change, obstacle):
    change(new)
    with pytest.raises(UserError, match=f"new cannot be compared with .*old: {obstacle}$"):
        compare_studies(baseline, new)


def test_what_only_the_resolved_studies_say(baseline, new, tmp_path):
    old = shutil.copytree(baseline, tmp_path / "with_study")
    (old / "study.json").write_text(dump_json(a_study().to_json()))
    assert not compare_studies(old, new)[1]
    (new / "study.json").write_text(dump_json(a_study(batch_size=8).to_json()))
    with pytest.raises(UserError, match=r"other batch_size: 64 and 8$"):
        compare_studies(old, new)


def test_guided_searches_are_compared_by_fresh_seeds_only(baseline, new, tmp_path):
    old = shutil.copytree(baseline, tmp_path / "guided")
    for folder in (old, new):
        edit_manifest(folder, sampler="tpe")
    edit(new, lambda row: row if row["phase"] != "confirm" else None)
    lines, _ = compare_studies(old, new)
    assert "12 seeds" in line_of(lines, "ns")
    assert line_of(lines).endswith("cannot be compared: trials of the sampler tpe are not independent draws")


def test_mistakes_of_a_user(baseline, tmp_path):
    other = make_study(tmp_path / "other", ("began",), ("fashion",), trials=3, samples=False)
    with pytest.raises(
        UserError, match="the baseline has ns and wgan_gp on digits, the other began on fashion"
    ):
        compare_studies(baseline, other)
    with pytest.raises(UserError, match=r"holds no results: manifest.json is missing"):
        compare_studies(baseline, tmp_path)


def test_the_table_is_aligned(baseline, new):
    edit(new, failing)
    lines, _ = compare_studies(baseline, new)
    head, rule, *rows = lines[2:6]
    at = head.index("verdict")
    assert set(rule) == {"-"} and len(rule) == max(map(len, [head, *rows]))
    assert all(row[at - 2 : at] == "  " and row[at] != " " for row in rows)
    assert all(len(line) <= 100 for line in lines[7:])
