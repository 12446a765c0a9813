"""The bundled sample market and the command's function that repeats it."""

import gzip
import math
import random
import subprocess
import sys
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import NormalDist

import pytest

from advisor.base.errors import UsageError
from advisor.base.resources import fixtures_folder
from advisor.market.offers import parse_offers
from advisor.market.sample import SampleMarket
from advisor.market.snapshot import load_snapshot
from advisor.market.types import Query
from advisor.simulator.generate.bundled import (
    BUNDLED_OFFERS,
    BUNDLED_SEED,
    write_sample,
)

BUNDLED = fixtures_folder() / "sample-market.json.gz"
PACKED_WITH = "1.2.13"


@pytest.fixture(scope="module")
def repeated(tmp_path_factory):
    """Return the sample written anew."""
    path = tmp_path_factory.mktemp("sample") / "again.json.gz"
    write_sample(path, BUNDLED_OFFERS, BUNDLED_SEED)
    return path


def test_the_bundled_sample_can_be_repeated(repeated):
    """Anyone's `advisor sample` gives the bundled offers, to the last digit."""
    assert gzip.decompress(repeated.read_bytes()) == gzip.decompress(BUNDLED.read_bytes())


def roughly(function: Callable[[float], float]) -> Callable[[float], float]:
    """Return a function as some other library might compute it, 1e-13 off at most.

    That is hundreds of times what libraries differ by. What is a whole number, such as
    exp(0), they all give exactly.
    """
    chance = random.Random(0)  # noqa: S311  (no secret)

    def found(value: float) -> float:
        exact = function(value)
        error = 0.0 if exact.is_integer() else chance.uniform(-1e-13, 1e-13)
        return exact * (1.0 + error)

    return found


class Roughly:
    """`math` and the normal distribution of such a library."""

    exp = staticmethod(roughly(math.exp))
    log = staticmethod(roughly(math.log))
    sqrt = staticmethod(roughly(math.sqrt))
    cdf = staticmethod(roughly(NormalDist().cdf))
    inv_cdf = staticmethod(roughly(NormalDist().inv_cdf))
    fsum = staticmethod(math.fsum)


def test_no_library_of_mathematics_decides_a_digit(tmp_path, monkeypatch):
    """The bundled sample is the same to the last digit where logarithms err otherwise.

    Figures are rounded far above the last bits, and none of these lies at an edge.
    """
    for module in ("calibration", "cpus", "draws", "machines"):
        monkeypatch.setattr(f"advisor.simulator.generate.{module}.math", Roughly)
    monkeypatch.setattr("advisor.simulator.generate.draws._NORMAL", Roughly)
    path = tmp_path / "elsewhere.json.gz"
    write_sample(path, BUNDLED_OFFERS, BUNDLED_SEED)
    assert gzip.decompress(path.read_bytes()) == gzip.decompress(BUNDLED.read_bytes())


@pytest.mark.skipif(
    zlib.ZLIB_RUNTIME_VERSION != PACKED_WITH,
    reason=f"packed with zlib {PACKED_WITH}; another one finds other bytes",
)
def test_the_bundled_file_can_be_repeated(repeated):
    """The packed file repeats too, but for the header that names the system."""
    header = 10
    assert repeated.read_bytes()[header:] == BUNDLED.read_bytes()[header:]


def test_the_sample_says_that_it_is_simulated():
    """Nobody can take the sample for a market: name, origin, flag and date say so."""
    answer = SampleMarket().search(Query())
    assert (answer.market, answer.origin) == ("sample", "bundled sample")
    assert answer.simulated
    assert answer.complete
    assert answer.fetched_at == datetime(2026, 11, 1, tzinfo=UTC)
    assert "no such machines exist" in answer.notes[0]
    assert SampleMarket().name == "sample"


def test_the_sample_can_be_ranked():
    """All records parse but the duplicates; prices and GPU names are known."""
    answer = SampleMarket().search(Query())
    assert len(answer.records) == BUNDLED_OFFERS
    offers, excluded = parse_offers(answer.records)
    assert set(excluded) == {"duplicate"}
    assert (offers.dph_total > 0).all()
    assert "" not in set(offers.gpu_name)


def test_the_bundled_file_is_small():
    """It travels in every wheel: at most 400 kB."""
    assert BUNDLED.stat().st_size < 400_000


def test_another_seed_writes_another_market(tmp_path):
    """Count and seed are the user's."""
    write_sample(tmp_path / "a.json.gz", 30, 1)
    write_sample(tmp_path / "b.json.gz", 30, 2)
    first, second = (load_snapshot(tmp_path / f"{name}.json.gz") for name in "ab")
    assert len(first.records) == len(second.records) == 30
    assert first.records != second.records
    assert first.simulated


def test_a_file_that_cannot_be_written_is_an_error(tmp_path):
    """No folder, no traceback: a usage error."""
    with pytest.raises(UsageError, match="cannot write"):
        write_sample(tmp_path / "missing" / "sample.json.gz", 5, 1)


def test_reading_the_sample_leaves_the_generator_alone():
    """`advisor rank` does not pay for importing what it does not use."""
    program = (
        "import sys; from advisor.market.sample import SampleMarket; "
        "from advisor.market.types import Query; SampleMarket().search(Query()); "
        "print([m for m in sys.modules if m.startswith('advisor.simulator.generate')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
