import csv
import io

from seglet.tuning.trials import Tried, best_of, in_words, table_of

PARAMS = {"levels": 3, "width": 16, "learning_rate": 0.00123, "loss": "dice", "batch_size": 4}


def tried(number: int, state: str, val_dice: float | None, note: str = "") -> Tried:
    return Tried(number, state, val_dice, 1.5, PARAMS, note)


TRIALS = [
    tried(0, "finished", 0.5),
    tried(1, "pruned", 0.9),
    tried(2, "finished", 0.75),
    tried(3, "finished", 0.75),
    tried(4, "interrupted", None),
    tried(5, "pruned", None, "found nan, expected a finite number"),
]


def test_the_best_is_finished_and_the_first_of_equals() -> None:
    best = best_of(TRIALS)
    assert best is not None
    assert best.number == 2
    assert best_of([TRIALS[1], TRIALS[4]]) is None


def test_the_table_has_a_row_a_trial_and_empty_cells_where_nothing_is_known() -> None:
    rows = list(csv.DictReader(io.StringIO(table_of(TRIALS))))
    assert [row["trial"] for row in rows] == ["0", "1", "2", "3", "4", "5"]
    assert rows[2]["val_dice"] == "0.75"
    assert rows[2]["learning_rate"] == "0.00123"
    assert rows[4]["val_dice"] == ""
    assert rows[5]["note"] == "found nan, expected a finite number"


def test_settings_in_words_name_only_what_was_searched() -> None:
    assert in_words(PARAMS) == "levels 3, width 16, learning_rate 0.0012, loss dice, batch_size 4"
    assert in_words({"loss": "own", "batch_size": 1}) == "loss own, batch_size 1"
