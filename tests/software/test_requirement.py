"""What an image demands of the driver, as its variable says it."""

from __future__ import annotations

import pytest

from advisor.software.requirement import Requirement

# As quoted from nvidia/cuda:13.0, shortened.
CUDA_13 = (
    "cuda>=13.0 brand=unknown,driver>=535,driver<536 brand=tesla,driver>=535,driver<536 "
    "brand=tesla,driver>=550,driver<551 brand=quadro,driver>=550,driver<551"
)


@pytest.mark.parametrize(
    ("cuda", "driver", "consumer", "met"),
    [
        (13.0, 580.095, True, True),
        (13.2, 595.071, False, True),
        (12.8, 570.124, True, False),
        (12.2, 535.183, True, False),  # a GeForce is in no alternative
        (12.2, 535.183, False, True),  # a data-center card is
        (12.4, 550.054, False, True),
        (12.3, 545.023, False, False),
    ],
)
def test_one_of_its_alternatives_must_hold(
    cuda: float, driver: float, consumer: bool, met: bool
) -> None:
    """A new driver, or a branch that is named for the card's brand."""
    demand = Requirement.parse(CUDA_13)
    assert demand.met_by(cuda=cuda, driver=driver, consumer=consumer) is met


# As quoted from nvidia/cuda:12.4.1, shortened.
CUDA_12_4 = (
    "cuda>=12.4 brand=tesla,driver>=535,driver<536 brand=geforce,driver>=535,driver<536 "
    "brand=geforcertx,driver>=535,driver<536 brand=titan,driver>=535,driver<536"
)


@pytest.mark.parametrize("consumer", [False, True])
def test_images_up_to_12_4_let_in_older_drivers_of_every_brand(consumer: bool) -> None:
    """So a GeForce with a driver of that branch starts them, one between does not."""
    demand = Requirement.parse(CUDA_12_4)
    assert demand.met_by(cuda=12.2, driver=535.183, consumer=consumer)
    assert not demand.met_by(cuda=12.3, driver=545.023, consumer=consumer)


def test_nothing_demanded_is_met() -> None:
    """Also where the variable holds what nobody knows."""
    for text in ("", "  ", "something else"):
        assert Requirement.parse(text).met_by(cuda=11.0, driver=450.0, consumer=True)


def test_an_alternative_with_an_unknown_condition_does_not_hold() -> None:
    """The runtime would refuse it too; the others count."""
    demand = Requirement.parse("cuda>=13.0 brand=tesla,planet=earth")
    assert str(demand) == "cuda>=13.0"
    assert not demand.met_by(cuda=12.8, driver=570.0, consumer=False)
