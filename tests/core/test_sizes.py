import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglet.core.errors import ConfigError
from seglet.core.sizes import gibibytes, n_bytes


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2G", 2 * 2**30),
        ("500M", 500 * 2**20),
        ("1.5GiB", 3 * 2**29),
        ("2GB", 2 * 10**9),
        ("3 gb", 3 * 10**9),
        ("2048k", 2**21),
        ("1TiB", 2**40),
        ("1048576", 2**20),
        (" 1048576B ", 2**20),
        (3 * 2**20, 3 * 2**20),
    ],
)
def test_amounts_as_people_write_them(said: object, expected: int) -> None:
    assert n_bytes(said) == expected


@pytest.mark.parametrize("said", ["", "G", "2", "2X", "-2G", "2GG", "1e9", "two", "2G 3M", "0G", None, "10s"])
def test_what_is_no_amount_says_what_would_be(said: object) -> None:
    with pytest.raises(ConfigError, match=r"expected an amount of memory.*Write 2G, 500M or 1\.5GiB"):
        n_bytes(said)


@given(st.integers(2**20, 2**50))
def test_whole_numbers_of_bytes_are_kept(amount: int) -> None:
    assert n_bytes(amount) == n_bytes(str(amount)) == amount


@pytest.mark.parametrize(
    ("amount", "expected"),
    [(0, "0 MiB"), (50 * 2**20, "50 MiB"), (3 * 2**29, "1.5 GiB"), (2**34, "16 GiB")],
)
def test_amounts_are_written_for_a_person(amount: int, expected: str) -> None:
    assert gibibytes(amount) == expected
