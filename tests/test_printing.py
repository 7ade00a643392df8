"""What commands print."""

import re
from pathlib import Path

import numpy as np
import pytest

from seglet.core.image import Image, Sample
from seglet.data.findings import Finding
from seglet.data.repair import Repair, RepairLog
from seglet.metrics.evaluate import Prediction, Scores, evaluate
from seglet.metrics.protocols import protocol_named
from seglet.printing import (
    print_finding,
    print_repairs,
    print_scores,
    print_trials,
    scores_document,
    trials_document,
)
from seglet.tuning.search import Tuned
from seglet.tuning.trials import Tried


def test_a_finding_tells_its_files_why_it_matters_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    files = tuple(f"images/{k}.png" for k in range(12))
    print_finding(
        Finding(
            severity="warning", code="duplicate", message="Copies.", files=files, remedy="Drop.", why="Leak."
        )
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("warning") and lines[0].endswith("Copies.")
    assert sum("images/" in line for line in lines) == 10
    assert any("2 more" in line for line in lines)
    assert any("Leak." in line for line in lines)
    assert any("Drop." in line for line in lines)


def test_repairs_say_what_was_done_and_what_was_left(capsys: pytest.CaptureFixture[str]) -> None:
    repairs = (
        Repair(file="masks/a.png", code="inverted", action="exchanged"),
        Repair(file="masks/b.png", code="empty-mask", action="left as it is", is_done=False),
    )
    print_repairs(RepairLog(out=Path("copy"), repairs=repairs, n_copied=3))
    printed = capsys.readouterr().out
    assert "repaired masks/a.png: exchanged" in printed
    assert "left     masks/b.png" in printed
    assert "copy" in printed and "untouched" in printed


def scored(protocol: str) -> Scores:
    """Two images of two cells each; in the second they are merged."""
    objects = np.zeros((8, 9), np.int32)
    objects[:, :4], objects[:, 5:] = 1, 2
    labels = (objects > 0).astype(np.uint8)
    pairs = []
    for name, predicted in (("a", labels), ("b", np.ones_like(labels))):
        case = Sample(name, Image(np.zeros((1, 8, 9), np.uint8)), labels, objects)
        pairs.append((case, Prediction(name, predicted)))
    return evaluate(pairs, ("background", "cell"), protocol_named(protocol))


def test_scores_of_objects_are_printed_with_what_others_reached(capsys: pytest.CaptureFixture[str]) -> None:
    print_scores(scored("dsb2018"), "2 images")
    printed = " ".join(capsys.readouterr().out.split())
    assert "2 images, protocol dsb2018 1: At each IoU threshold" in printed
    assert "Score of DSB 2018 0.5000 (Mean over 2 images; 95 % interval 0.000 – 1.000)" in printed
    assert "Merged 1" in printed and "Mean Dice" in printed
    assert "This model 0.5000 best of the competition 0.6310" in printed
    assert "best of the competition: Caicedo et al." in printed
    assert "Objects found, by IoU 0.50 0.55" in printed
    assert "Before comparing:" in printed


def test_masks_of_another_tool_are_not_called_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    print_scores(scored("dsb2018"), "2 images", of_masks=True)
    printed = " ".join(capsys.readouterr().out.split())
    assert "These masks 0.5000 best of the competition 0.6310" in printed
    assert "This model" not in printed


def test_the_partition_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    scores = scored("isbi2012")
    print_scores(scores, "2 images")
    printed = " ".join(capsys.readouterr().out.split())
    assert scores.partition is not None
    assert f"Rand error {scores.partition['rand_error']:.4f} (Slices of 2 images pooled; 0 is best" in printed
    assert "U-Net 0.0382 0.0611 0.9728 0.9866 0.000353" in printed
    assert "all-black" in printed


@pytest.mark.parametrize(
    ("protocol", "missing"), [("ctc-seg", "No SEG: it needs"), ("dsb2018", "No Score of DSB 2018: it needs")]
)
def test_a_truth_without_objects_says_what_is_missing(
    protocol: str, missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = np.ones((8, 9), np.uint8)
    case = Sample("a", Image(np.zeros((1, 8, 9), np.uint8)), labels)
    print_scores(evaluate([(case, Prediction("a", labels))], ("b", "cell"), protocol_named(protocol)), "1")
    printed = capsys.readouterr().out
    assert missing in printed and "Dice stands in front instead." in printed
    print_scores(scored(protocol), "2 images")
    assert "it needs" not in capsys.readouterr().out


def test_by_pixels_nothing_is_said_of_others(capsys: pytest.CaptureFixture[str]) -> None:
    print_scores(scored("pixels"), "2 images")
    printed = capsys.readouterr().out
    assert "Beside others" not in printed and "Before comparing" not in printed


def vessels() -> Scores:
    """Three images by the rule of CHASE_DB1, with probabilities, a field of view and a second observer."""
    rng = np.random.default_rng(0)
    pairs = []
    for name in "abc":
        truth = np.zeros((20, 24), np.uint8)
        truth[8:11, 2:22] = truth[2:18, 5:7] = 1
        second = np.roll(truth, 1, 0)
        fov = np.ones(truth.shape, bool)
        fov[:, 20:] = False
        foreground = (0.5 * truth + 0.45 * rng.random(truth.shape)).astype(np.float32)
        case = Sample(name, Image(np.zeros((1, 20, 24), np.uint8)), truth, fov=fov, second=second)
        pairs.append((case, Prediction(name, (foreground > 0.6).astype(np.uint8), foreground[None])))
    return evaluate(pairs, ("background", "vessel"), protocol_named("chasedb1"), threshold=0.6)


def test_a_narrow_terminal_shows_every_figure_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    scores = vessels()
    print_scores(scores, "3 images")
    printed = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    tables = [line for line in printed.splitlines() if re.search(r"\d\.\d{4}( |$)", line)]
    assert len(tables) > 15
    assert max(map(len, printed.splitlines())) <= 80
    assert "…" not in printed
    assert scores.pooled_intervals is not None and scores.second_observer is not None
    pooled, mean = scores.pooled_intervals["vessel"]["dice"], scores.mean["vessel"]["dice"]
    assert pooled.low < pooled.mean < pooled.high
    dice = next(line for line in tables if line.startswith("Dice (F1)"))
    for figure in (pooled.mean, pooled.low, pooled.high, mean.mean):
        assert f"{figure:.4f}" in dice
    human = f"{scores.second_observer.pooled['vessel']['dice']:.4f}"
    assert human in dice
    beside = printed[printed.index("Beside others") :]
    rows = [line.split()[0] for line in beside.splitlines() if re.search(r" \d\.\d{4}", line)]
    assert rows[:4] == ["This", "Second", "U-Net", "LadderNet"]
    assert human in beside


def test_the_pooled_headline_has_its_interval(capsys: pytest.CaptureFixture[str]) -> None:
    scores = vessels()
    print_scores(scores, "3 images")
    dice = scores.pooled_mean_dice_interval
    assert dice is not None
    said = f"{dice.mean:.4f} (Pixels of 3 images pooled; 95 % interval {dice.low:.3f} – {dice.high:.3f})"
    assert f"Dice of vessel {said}" in capsys.readouterr().out
    print_scores(scored("pixels"), "2 images")
    assert "pooled;" not in capsys.readouterr().out


def test_what_is_known_of_probabilities_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    print_scores(vessels(), "3 images")
    printed = " ".join(capsys.readouterr().out.split())
    assert "Foreground is what has a probability above 0.6000." in printed
    assert "Expected calibration error 0." in printed
    assert "Centerlines of vessel" in printed


def test_several_classes_are_an_overview(capsys: pytest.CaptureFixture[str]) -> None:
    labels = np.zeros((6, 8, 8), np.uint8)
    labels[1:5, 2:6, 2:6], labels[2, 3, 3] = 1, 2
    case = Sample("a", Image(np.zeros((1, *labels.shape), np.uint8), (1.0, 1.0, 1.0), "mm"), labels)
    scores = evaluate([(case, Prediction("a", labels))], ("rest", "liver", "tumor"), protocol_named("lits"))
    print_scores(scores, "1 image")
    printed = " ".join(capsys.readouterr().out.split())
    assert "liver 1.0000 1.0000" in printed and "Surface and volume of tumor" in printed
    assert "This model, tumor 1.0000" in printed and "best tumor of the challenge 0.7390" in printed


def test_the_document_has_the_figures_of_objects() -> None:
    document = scores_document(scored("dsb2018"))
    assert document["headline"]["dsb"] == 0.5
    assert document["scores"]["objects"]["dsb"]["mean"] == 0.5


def tried(number: int, state: str, val_dice: float | None, loss: str = "dice") -> Tried:
    params = {"learning_rate": 0.00123, "loss": loss, "batch_size": 4}
    return Tried(number, state, val_dice, 1.5, params, "")


TRIALS = (
    tried(0, "finished", 0.5),
    tried(1, "pruned", 0.875),
    tried(2, "finished", 0.75, "focal+dice"),
    tried(3, "interrupted", None),
    tried(4, "pruned", None),
)


def test_trials_are_printed_best_first_and_say_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    tuned = Tuned(Path("out"), TRIALS, {"loss": 0.75, "batch_size": 0.25}, None)
    print_trials(tuned, Path("cells"), 20)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:6]] == ["2", "0", "1", "4"]
    assert lines[1].split() == ["trial", "val_dice", "learning_rate", "loss", "batch_size"]
    assert lines[2].split() == ["2", "0.7500", "finished", "0.0012", "focal+dice", "4"]
    assert "4 of 20 trials, 2 of them ended early." in lines
    assert "loss 75%, batch_size 25%" in lines[7]
    assert f"seglet train cells -o RUN --recipe {Path('out/best.yaml')}" in lines[8]


def test_an_interrupted_search_says_that_it_can_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    print_trials(Tuned(Path("out"), TRIALS[3:4], {}, "SIGINT"), Path("cells"), 20)
    printed = capsys.readouterr().out
    assert "0 of 20 trials" in printed
    assert "SIGINT: nothing is lost" in printed
    assert "best.yaml" not in printed


def test_trials_as_a_document() -> None:
    found = trials_document(Tuned(Path("out"), TRIALS, {}, None))
    assert found["best"] == 2
    assert found["recipe"] == str(Path("out/best.yaml"))
    assert [trial["state"] for trial in found["trials"]] == [trial.state for trial in TRIALS]
    assert trials_document(Tuned(Path("out"), (), {}, "SIGINT"))["recipe"] is None
