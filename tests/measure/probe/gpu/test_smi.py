"""What nvidia-smi says is read, whatever card and driver it is of."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.measure.probe.gpu.smi import FIELDS, MOVING, Card, ask_cards, newest_cuda
from tests.measure.probe.gpu.conftest import H100, RTX_4090, Smi, command


def test_each_card_is_read(smi: Smi) -> None:
    """Two cards: two entries, in the driver's order, numbers without their units."""
    smi(H100, RTX_4090)
    told = ask_cards()
    names = [card.fields["name"] for card in told.cards]
    assert names == ["NVIDIA H100 80GB HBM3", "NVIDIA GeForce RTX 4090"]
    assert told.cards[1].number("power.limit") == 320.0
    assert told.cards[0].on("ecc.mode.current") is True
    assert not told.words


def test_what_a_card_has_not_is_none(smi: Smi) -> None:
    """[N/A], [Not Supported] and [Unknown Error] are no values."""
    smi({**RTX_4090, "power.limit": "[Unknown Error]", "power.default_limit": "N/A"})
    (card,) = ask_cards().cards
    assert card.number("power.limit") is None
    assert card.number("power.default_limit") is None
    assert card.on("mig.mode.current") is None


def test_an_old_driver_refuses_fields(smi: Smi) -> None:
    """A driver that knows no compute_cap and no remapped rows still tells the rest."""
    smi(RTX_4090, refused=["compute_cap", "remapped_rows.failure", "mig.mode.current"])
    (card,) = ask_cards().cards
    assert "compute_cap" not in card.fields
    assert card.number("memory.total") == 24564


def test_a_new_driver_has_renamed_a_field(smi: Smi) -> None:
    """Where the old name of a field is refused, the newer one is asked for."""
    new = {**H100, "clocks_event_reasons.active": "0x0000000000000044"}
    smi(new, refused=["clocks_throttle_reasons.active"])
    (card,) = ask_cards(MOVING).cards
    held = card.held_down_by
    assert held is not None
    assert held.by_power_limit
    assert held.by_faults == ("heat",)


@pytest.mark.parametrize(
    ("bits", "limited", "faults"),
    [
        ("0x0000000000000000", False, ()),
        ("0x0000000000000001", False, ()),  # at rest
        ("0x0000000000000004", True, ()),
        ("0x0000000000000088", False, ("its hardware", "the power supply")),
    ],
)
def test_reasons(bits: str, limited: bool, faults: tuple[str, ...]) -> None:
    """Only slowdowns that a sound machine has not are faults."""
    held = Card({"clocks_throttle_reasons.active": bits}).held_down_by
    assert held is not None
    assert held == (limited, faults)


def test_no_reasons_told() -> None:
    """A card that says nothing of its clock is not taken for sound."""
    assert Card({}).held_down_by is None


@pytest.mark.parametrize(
    "words",
    [
        "No devices were found",
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
        "Failed to initialize NVML: Driver/library version mismatch",
    ],
)
def test_none_at_all(smi: Smi, words: str) -> None:
    """Why there is no card is told in the driver's words."""
    smi(fails=words)
    told = ask_cards()
    assert not told.cards
    assert told.words == words


def test_no_driver(tools: Path) -> None:
    """Without the tool there is no card, and that is why."""
    assert ask_cards() == ((), "nvidia-smi is not there")
    assert newest_cuda() is None


def test_a_stranger_steers_no_terminal(smi: Smi) -> None:
    """Whatever the tool prints becomes one line without control characters."""
    smi(fails="\x1b[2J\x1b[31mgone\nsecond")
    assert ask_cards().words == "[2J[31mgone"


def test_torn_lines_are_no_cards(tools: Path) -> None:
    """A line of too few values is left out, not shifted."""
    command(tools, "nvidia-smi", "#!/bin/sh\necho 'NVIDIA H100, 535'\n")
    told = ask_cards()
    assert not told.cards
    assert told.words == "NVIDIA H100, 535"


@pytest.mark.parametrize(
    ("line", "version"),
    [
        (
            "| NVIDIA-SMI 470.82.01  Driver Version: 470.82.01  CUDA Version: 11.4 |",
            (11, 4),
        ),
        ("| NVIDIA-SMI 590.44  KMD Version: 590.44  CUDA UMD Version: 13.1 |", (13, 1)),
        ("| NVIDIA-SMI 535.54.03  Driver Version: 535.54.03  CUDA Version: N/A |", None),
    ],
)
def test_newest_cuda(tools: Path, line: str, version: tuple[int, int] | None) -> None:
    """The newest CUDA that a driver runs stands in the head of its table."""
    command(tools, "nvidia-smi", f"#!/bin/sh\necho '{line}'\n")
    assert newest_cuda() == version


def test_no_field_twice() -> None:
    """Nvidia-smi answers each field once."""
    assert len(set(FIELDS)) == len(FIELDS)
    assert len(set(MOVING)) == len(MOVING)
