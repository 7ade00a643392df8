"""Groups are guessed only where ids plainly say them."""

import pytest

from seglet.data.groups import group_of, guess_groups


@pytest.mark.parametrize(
    ("ids", "pattern"),
    [
        ("P01_slice1 P01_slice2 P02_slice1 P02_slice2", "P{number}_*"),
        ("patient12_a patient12_b patient3_a patient3_b", "patient{number}_*"),
        ("mouse-1.x mouse-1.y mouse-2.x mouse-2.y", "mouse-{number}.*"),
        ("he_slide4_t1 he_slide4_t2 he_slide5_t1 he_slide5_t2", "he_slide{number}_*"),
        ("P01_1 P02_1 P03_1", None),  # one case each
        ("P01_1 P01_2", None),  # one group
        ("P01_1 P01_2 P02_1 other", None),
        ("P01_1 P01_2 mouse2_1 mouse2_2", None),
        ("IXMtest_A02_s1_w1 IXMtest_A02_s2_w1 IXMtest_B02_s1_w1 IXMtest_B02_s2_w1", None),
        ("hippocampus_001 hippocampus_002", None),
        ("", None),
    ],
)
def test_groups_are_guessed(ids: str, pattern: str | None) -> None:
    assert guess_groups(ids.split()) == pattern


def test_a_pattern_names_the_group() -> None:
    assert group_of("P{number}_*", "P07_slice2") == "7"
    assert group_of("{group}-*", "a-b-c") == "a-b"
    assert group_of("P{number}_*", "other") is None
