"""The published tables of builds, toolkits and drivers."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from advisor.software.requirement import Requirement
from advisor.software.rules import DEFAULT_IMAGES, default_images
from advisor.software.tables import (
    LEAST_DRIVER,
    cuda_demands,
    cuda_of_driver,
    driver_number,
    driver_of_cuda,
    ngc_builds,
    pytorch_builds,
    read_version,
    toolkit_archs,
    toolkit_drivers,
)

PUBLISHED = Path(__file__).parents[2] / "models" / "sources" / "pytorch_cuda.csv"


def test_every_row_has_a_source() -> None:
    """Nobody can check a figure that comes from nowhere."""
    builds = [*pytorch_builds().values(), *ngc_builds()]
    assert all(len(build.source) > 5 for build in builds)


def test_no_build_serves_what_its_toolkit_cannot_make() -> None:
    """Its oldest architecture is at least the toolkit's."""
    for (_, cuda), build in pytorch_builds().items():
        oldest = toolkit_archs()[cuda].compiled[0]
        for archs in build.archs.values():
            assert archs.compiled[0] >= oldest


def test_the_published_matrix_is_in_the_table() -> None:
    """Row by row; where its sources differ the narrower one counts."""
    with PUBLISHED.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["compute_capabilities_x86"]]
    for row in rows:
        version, cuda = read_version(row["pytorch"]), read_version(row["cuda"])
        assert version is not None
        assert cuda is not None
        build = pytorch_builds()[version, cuda]
        published = row["compute_capabilities_x86"].replace(";PTX", "+PTX").split(";")
        ours = str(build.archs["amd64"]).split(";")
        if row["certainty"].startswith("sources differ"):
            assert set(ours) < set(published)
        else:
            assert ours == published


def test_drivers_grow_with_their_versions() -> None:
    """535.54 is older than 535.183, whatever the decimal point says."""
    versions = ["450.80.02", "525.60.13", "535.54.03", "535.183.01", "570.124.06", "580"]
    numbers = [driver_number(version) for version in versions]
    assert numbers == sorted(numbers)
    assert math.isnan(driver_number("unknown"))
    assert math.isnan(driver_number(""))


def test_what_a_driver_runs() -> None:
    """As offers of the market show it: driver and CUDA together."""
    pairs = {"515.65.01": 11.7, "535.183.01": 12.2, "570.124.06": 12.8, "580.95.05": 13.0}
    for driver, cuda in pairs.items():
        assert cuda_of_driver(driver_number(driver)) == pytest.approx(cuda)
    assert math.isnan(cuda_of_driver(math.nan))
    assert [least for least, _ in toolkit_drivers()] == sorted(
        least for least, _ in toolkit_drivers()
    )


def test_a_cuda_stands_for_the_branch_of_its_driver() -> None:
    """Offers that show no driver show the CUDA that it runs."""
    branches = {11.8: 520, 12.0: 525, 12.2: 535, 12.4: 550, 12.8: 570, 13.0: 580}
    for cuda, branch in branches.items():
        assert int(driver_of_cuda(cuda)) == branch
        assert cuda_of_driver(driver_of_cuda(cuda)) == pytest.approx(cuda)
    for unknown in (math.nan, 99.0, 580.2):
        assert math.isnan(driver_of_cuda(unknown))


def test_every_demand_lets_in_the_drivers_of_its_cuda() -> None:
    """And names no older one of another CUDA's own."""
    for version, text in cuda_demands().items():
        demand = Requirement.parse(text)
        cuda = version[0] + version[1] / 10.0
        assert str(demand) == text
        for consumer in (False, True):
            newest = driver_of_cuda(cuda)
            assert demand.met_by(cuda=cuda, driver=newest, consumer=consumer)
            assert not demand.met_by(cuda=10.2, driver=440.33, consumer=True)


def test_real_offers_agree_on_driver_and_cuda(real_data: Path) -> None:
    """The table gives each driver of a real offer the CUDA that the offer shows."""
    import json  # noqa: PLC0415

    for path in sorted((real_data / "offers").glob("*.json")):
        document = json.loads(path.read_bytes())
        records = document["offers"] if isinstance(document, dict) else document
        for record in records:
            if record.get("driver_version"):
                found = cuda_of_driver(driver_number(record["driver_version"]))
                assert found == pytest.approx(record["cuda_max_good"]), record["id"]


@pytest.mark.parametrize(
    "capability", [6.0, 6.1, 7.0, 7.5, 8.0, 8.6, 8.9, 9.0, 10.0, 10.3, 12.0, 12.1]
)
def test_the_default_images_serve_pascal_to_blackwell(capability: float) -> None:
    """Each kind of card runs one on the oldest driver that can run the card."""
    card = np.array([capability])
    oldest = 570.0 if capability >= 10.0 else 525.060
    assert any(
        image.archs["amd64"].run_on(card)[0]
        and image.cuda is not None
        and LEAST_DRIVER[image.cuda[0]] <= oldest
        for image in default_images()
    )
    assert len(DEFAULT_IMAGES) == len(set(DEFAULT_IMAGES))
