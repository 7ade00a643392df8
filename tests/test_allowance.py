from seglet.allowance import Allowance
from seglet.looking import FEWEST, MOST_PIXELS
from seglet.metrics import pixel_lists
from seglet.prediction.seams import MOST_VALUES


def test_without_a_word_as_much_is_looked_at_as_ever() -> None:
    assert Allowance() == Allowance(FEWEST * MOST_PIXELS, pixel_lists.MOST_PIXELS, MOST_VALUES)
