"""The command line: what it says, and that a user's mistake is one sentence and exit code 2."""

import re
import subprocess
import sys

import pytest
from synthetic import make_study

from gansweep.cli import main, run_study_main

EATEN_BY_RAY_SUBMIT = {
    *("--start", "--stop", "--screen", "--tmux", "-n", "--cluster-name", "-p", "--port-forward", "--args"),
    *("--no-config-cache", "--disable-usage-stats", "--extra-screen-args", "-v", "--verbose"),
    *("--log-style", "--log-color"),
}


def said(capsys) -> str:
    return capsys.readouterr().err.strip()


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    make_study(folder / "demo", variants=2, datasets=1, trials=6)
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "quikstart"], "unknown study 'quikstart'; did you mean 'quickstart'?"),
        (["plan", "nowhere.py"], "there is no study file 'nowhere.py'"),
        (["list", "varients"], "unknown list 'varients'; did you mean 'variants'?"),
        (["report", "dem", "--results", "RESULTS"], "unknown study in RESULTS 'dem'; did you mean 'demo'?"),
        (["status", "x", "--results", "/nowhere"], "unknown study in /nowhere 'x'. There are: none"),
        (["run", "quickstart", "--results", "/proc/x"], "files cannot be written to /proc/x/quickstart: "),
        (["demo", "--out", "/proc/x"], "files cannot be written to /proc/x: "),
        (["run", "quickstart", "--gpus-per-pack", "-1"], "gpus_per_pack must be a number of at least 0"),
        (["plan", "quickstart", "--gpus-per-pack", "nan"], "gpus_per_pack must be a number of at least 0"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(capsys, results, arguments, message):
    arguments = [str(results) if each == "RESULTS" else each for each in arguments]
    assert main(arguments) == 2
    assert said(capsys).startswith(f"gansweep: {message.replace('RESULTS', str(results))}")
    assert "\n" not in said(capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "mixtur"], "unknown target of the demonstration 'mixtur'; did you mean 'mixture'?"),
        (["demo", "--variant", "nss"], "unknown variant 'nss'; did you mean 'ns'?"),
        (["robustness", "mode"], "unknown experiment 'mode'; did you mean 'modes'?"),
        (["robustness", "bias", "--dataset", "digit"], "unknown data set 'digit'; did you mean 'digits'?"),
        (
            ["robustness", "bias", "--extractor", "incepton"],
            "unknown feature extractor 'incepton'; did",
        ),
        (["new-variant", "MyGan"], "a name must be a Python identifier in lower case, like my_gan"),
        (["new-variant", "wgan_gp"], "variant 'wgan_gp' exists already"),
        (["sample", "DEMO/x"], "unknown trial 'x'"),
        (["reproduce", "DEMO/x"], "unknown trial 'x'"),
        (["check", "nss"], "unknown variant 'nss'; did you mean 'ns'?"),
    ],
)
def test_a_wrong_name_is_said_without_torch(results, arguments, message):
    words = [each.replace("DEMO", str(results / "demo")) for each in arguments]
    code = f"import sys; from gansweep.cli import main; print(main({words}), 'torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "2 False\n" and run.stderr.startswith(f"gansweep: {message}"), run.stderr


def test_missing_data_stop_a_study_before_anything_else(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("GANSWEEP_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    assert main(["run", "mnist_all_losses", "--smoke", "--results", str(tmp_path / "results")]) == 2
    error = said(capsys)
    assert str(tmp_path / "data") in error and "mnist" in error.lower() and "\n" not in error
    assert not (tmp_path / "results").exists()


def test_missing_inception_weights_stop_a_study_before_it_trains(capsys, tmp_path, monkeypatch, local_ray):
    monkeypatch.setenv("GANSWEEP_INCEPTION_WEIGHTS", str(tmp_path / "no.pth"))
    study = tmp_path / "mine.py"
    study.write_text(
        "from gansweep.evaluation import Evaluation\nfrom gansweep.study import Study\n"
        "STUDY = Study(variants=('ns',), datasets=('digits',), trials=1, steps=1,"
        " evaluation=Evaluation(extractor='inception', n_images=100))"
    )
    assert main(["run", str(study), "--results", str(tmp_path / "results")]) == 2
    error = said(capsys)
    assert "GANSWEEP_INCEPTION_WEIGHTS" in error and "name the extractor 'digits'" in error
    assert not list((tmp_path / "results").rglob("rows.jsonl*"))


def test_what_cannot_be_had_here_is_said_before_anything_is_written(capsys, tmp_path, local_ray):
    for flags, message in (
        (["--gpus-per-pack", "1000"], "gpus_per_pack is 1000, but no node here has a GPU"),
        (
            ["--storage", "nosql://here"],
            "a storage is given as postgresql://user@host/database or sqlite:///file",
        ),
    ):
        assert main(["run", "quickstart", *flags, "--results", str(tmp_path)]) == 2
        assert said(capsys).startswith(f"gansweep: {message}")
        there = {path.name for path in (tmp_path / "quickstart").iterdir()}
        assert there <= {".lock", "optuna.journal"}  # an empty journal: no study, no row


def test_bad_flags_are_told_by_argparse(capsys):
    for arguments in (["run", "quickstart", "--pack-size", "0"], ["walk"], ["run"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
    assert "a whole number of at least 1 is expected, but got '0'" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["studies", "variants", "datasets", "architectures", "extractors"])
def test_lists(capsys, kind):
    assert main(["list", kind]) == 0
    output = capsys.readouterr().out
    expected = {
        "studies": "quickstart",
        "variants": "wgan_gp",
        "datasets": "digits",
        "architectures": "images of side 28, 32, 64",
        "extractors": "inception",
    }
    assert expected[kind] in output


def test_status_and_report_of_what_there_is(capsys, results):
    assert main(["status", "demo", "--results", str(results)]) == 0
    assert "12/12 trials" in capsys.readouterr().out
    assert main(["report", "demo", "--results", str(results)]) == 0
    assert capsys.readouterr().out.strip() == str(results / "demo" / "report" / "index.html")


def test_reading_results_needs_neither_torch_nor_ray(results):
    code = (
        "import sys; from gansweep.cli import main; import gansweep; "
        f"main(['status', 'demo', '--results', {str(results)!r}]); gansweep.load({str(results / 'demo')!r}); "
        "print([m for m in ('torch', 'ray', 'optuna') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip().endswith("[]")


def test_plan_forecasts_without_training(capsys, tmp_path):
    study = tmp_path / "mine.py"
    study.write_text(
        '"""Why?"""\nfrom gansweep import Confirm, Evaluation, Study\n'
        "STUDY = Study(variants=('ns',), datasets=('digits',), space='wide', trials=9, steps=100,"
        " confirm=Confirm(top=2, reruns=3, seeds=4), evaluation=Evaluation(n_images=100))"
    )
    results = tmp_path / "results"
    assert main(["run", str(study), "--dry-run", "--results", str(results)]) == 0
    output = capsys.readouterr().out
    assert "then 10 trials on fresh seeds" in output
    assert "ns on digits" in output and "in all 1 cells, 9 trials in" in output and "time about" in output
    assert not results.exists()


def test_run_study_takes_no_flag_that_ray_submit_takes_for_itself(capsys):
    with pytest.raises(SystemExit):
        run_study_main(["--help"])
    flags = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", capsys.readouterr().out))
    assert "--study" in flags and not flags & EATEN_BY_RAY_SUBMIT


def test_run_study_passes_its_flags_on(capsys):
    assert run_study_main(["--study", "quikstart", "--smoke", "--dry-run", "--pack-size", "3"]) == 2
    assert "did you mean 'quickstart'" in said(capsys)
