import pytest
from endurance import TRIALS, attempt


@pytest.mark.slow
@pytest.mark.parametrize("name", TRIALS)
def test_the_index_survives(name: str) -> None:
    assert attempt(name, short=True).wrong == ()
