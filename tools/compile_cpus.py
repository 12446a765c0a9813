"""The CPU table: which models it holds, how they are cleaned, what is filled in by rule.

``cpus.csv.gz`` of the sources has the published facts; ``cpus_by_hand.csv`` the cores
and clocks of hosts that it lacks, or knows from a slice of a virtual machine.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np

from advisor.hardware.names import cpu_key
from sources import Texts, csv_text, read, refuse

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = """
    name key cores threads base_ghz boost_ghz year microarchitecture segment pcie_gen
    l3_mb single_thread_score score_basis class_score source
""".split()  # noqa: SIM905  (a line each otherwise)

BY_HAND = "cpus_by_hand.csv"

# What appears in hosts for rent: servers, workstations and desktops since about
# 2011, laptops with a discrete GPU since about 2018. And the two small laptops of the
# published decode rates: what one core of them does counts like that of any other.
CHOSEN = re.compile(
    r"epyc (?!embedded|3).*|threadripper .*"
    r"|xeon e5 [12]\d{3}\w?( v\d)?|xeon e3 12\d\d( v\d)?|xeon e 2\d{3}g?"
    r"|xeon (?!silver 4018)(bronze|silver|gold|platinum) \d{4}(?!.*e)\w{0,2}\+?"
    r"|xeon max .*|xeon 6\d{3}[pe]|xeon w \d{4}\w?|xeon w\d .*"
    r"|ryzen [3579] (pro )?[1-9]\d{3}(x|xt|f|g|x3d|x3d2)?"
    r"|ryzen [579] [4-9]\d{3}(h|hs|hx|hx3d)"
    r"|core i[3579] ([2-9]|1[0-4])\d{3}(k|kf|ks|f|x|xe)?"
    r"|core i[579] ([89]|1[0-4])\d{3}(h|hx|hk)"
    r"|core ultra [579] [12]\d\d(h|hx|k|kf|f)?"
    r"|core i5 (4258|8279)u"
)

# Microarchitecture by model number, first match wins (AMD's and Intel's published
# numbering schemes). EPYC: the last digit of the model is the generation.
MICROARCHITECTURES: tuple[tuple[str, str], ...] = (
    (r"epyc (97.4|8..4)", "Zen 4c"),
    (r"epyc 99.5|epyc 9[78]45", "Zen 5c"),
    (r"epyc 7..1", "Zen"),
    (r"epyc 7..2", "Zen 2"),
    (r"epyc 7..3", "Zen 3"),
    (r"epyc [49]..4|epyc 9v33", "Zen 4"),
    (r"epyc [49]..5", "Zen 5"),
    (r"threadripper (pro )?1", "Zen"),
    (r"threadripper (pro )?2", "Zen+"),
    (r"threadripper (pro )?3", "Zen 2"),
    (r"threadripper (pro )?5", "Zen 3"),
    (r"threadripper (pro )?7", "Zen 4"),
    (r"threadripper (pro )?9", "Zen 5"),
    (r"ryzen . (pro )?1\d|ryzen . (pro )?2\d\d\dg", "Zen"),
    (r"ryzen . (pro )?2\d|ryzen . (pro )?3\d\d\dg", "Zen+"),
    (r"ryzen . (pro )?[34]\d", "Zen 2"),
    (r"ryzen . (pro )?5\d", "Zen 3"),
    (r"ryzen . (pro )?(6\d|7\d3)", "Zen 3+"),
    (r"ryzen . (pro )?[78]\d|ryzen 9 8[89]\d", "Zen 4"),
    (r"ryzen . (pro )?9\d", "Zen 5"),
    (r"xeon e[35] \d{4}\w* v2", "Ivy Bridge"),
    (r"xeon e[35] \d{4}\w* v3", "Haswell"),
    (r"xeon e[35] \d{4}\w* v4", "Broadwell"),
    (r"xeon e3 \d{4}\w* v5", "Skylake"),
    (r"xeon e3 \d{4}\w* v6", "Kaby Lake"),
    (r"xeon e[35] \d{4}\w*$", "Sandy Bridge"),
    (r"xeon (gold|platinum) (53|63|83)\d\dhl?$", "Cooper Lake"),
    (r"xeon (bronze|silver|gold|platinum) \d1|xeon platinum p 81", "Skylake"),
    (r"xeon (bronze|silver|gold|platinum) \d2", "Cascade Lake"),
    (r"xeon (bronze|silver|gold|platinum) \d3", "Ice Lake"),
    (r"xeon (bronze|silver|gold|platinum) \d4|xeon max", "Sapphire Rapids"),
    (r"xeon (bronze|silver|gold|platinum) \d5", "Emerald Rapids"),
    (r"xeon 6[79]\d\de", "Sierra Forest"),
    (r"xeon 6[579]\d\dp", "Granite Rapids"),
    (r"xeon 63\d\dp|xeon e 24", "Raptor Lake"),
    (r"xeon w[3579] ", "Sapphire Rapids"),
    (r"xeon w (21|31)", "Skylake"),
    (r"xeon w (22|32)", "Cascade Lake"),
    (r"xeon w 33", "Ice Lake"),
    (r"xeon w 1[02]", "Comet Lake"),
    (r"xeon w 13|xeon e 23", "Rocket Lake"),
    (r"xeon e 2[12]", "Coffee Lake"),
    (r"core i. (38|39|2)\d|core i. 2", "Sandy Bridge"),
    (r"core i. (48|49)\d\dk|core i. 3", "Ivy Bridge"),
    (r"core i. (58|59)\d\d|core i. 4", "Haswell"),
    (r"core i. (68|69)\d\d|core i. 5", "Broadwell"),
    (r"core i. (78|79|98|99)\d\dxe?$|core i. 6|celeron g390|pentium g44", "Skylake"),
    (r"core i. 7|celeron g393|pentium g456", "Kaby Lake"),
    (r"core i. [89]|celeron g49", "Coffee Lake"),
    (r"core i. 10\d{3}xe?$", "Cascade Lake"),
    (r"core i. 10", "Comet Lake"),
    (r"core i. 11\d{3}h", "Tiger Lake"),
    (r"core i. 11", "Rocket Lake"),
    (r"core i. 12", "Alder Lake"),
    (r"core i. 1[34]", "Raptor Lake"),
    (r"core ultra . 1", "Meteor Lake"),
    (r"core ultra . 2", "Arrow Lake"),
)

SEGMENTS: tuple[tuple[str, str], ...] = (
    (r"threadripper|xeon w|core i[79] \d{4,5}xe?$|xeon e5 1", "workstation"),
    (r"epyc|xeon", "server"),
    (r".*\d(h|hs|hx|hx3d|hk|u)$", "laptop"),
    (r"", "desktop"),
)

# ln PassMark = a + b ln Geekbench 6, both single-thread, fitted on the CPUs that
# have both (feasibility study on published figures, November 2026).
BRIDGE = (2.302, 0.759)

# A score whose rate per GHz of boost is off the median of its microarchitecture by
# more than this factor is a slip or a throttled host, not the chip: an EPYC 9475F has
# 0.68 of it. Within one microarchitecture the rates have a log-sd of 0.03 to 0.10.
PLAUSIBLE_FACTOR = 1.35
LEAST_OF_A_KIND = 4


def compile_cpus(raw: pd.DataFrame, by_hand: pd.DataFrame) -> pd.DataFrame:
    """Return the table, sorted by key; of a CPU that is listed twice the first counts.

    Raises
    ------
    UsageError
        if a CPU by hand would be left out, because nothing tells its score
    """
    named = raw["cpu_name"].str.replace(r"\s*@.*", "", regex=True).str.strip()
    cpus = raw.assign(name=named, key=named.map(cpu_key))
    cpus = cpus[cpus["key"].map(lambda key: CHOSEN.fullmatch(key) is not None)]
    cpus = cleaned(cpus.drop_duplicates("key")).set_index("key")
    hand = by_hand.assign(key=by_hand["name"].map(cpu_key)).set_index("key")
    known = cpus["source"].reindex(hand.index)
    hand["source"] = (known + "; ").fillna("") + hand["source"]
    cpus = hand.combine_first(cpus).reset_index()
    cpus["microarchitecture"] = by_rule(cpus["key"], MICROARCHITECTURES).fillna(
        cpus["microarch"]
    )
    cpus["segment"] = by_rule(cpus["key"], SEGMENTS)
    scored = with_scores(cpus, by_hand=cpus["key"].isin(hand.index))
    known = scored["single_thread_score"].notna()
    dropped = ~hand.index.isin(scored.loc[known, "key"])
    says = "{name} has no score, and nobody has one of its microarchitecture"
    refuse(BY_HAND, hand.reset_index(), dropped, says)
    return scored[known].sort_values("key")[COLUMNS]


def cleaned(cpus: pd.DataFrame) -> pd.DataFrame:
    """Return the facts of the raw table that can be believed."""
    slice_of_a_host = cpus["cores"].lt(4) & cpus["key"].str.match("xeon (g|p|m)")
    intercept, slope = BRIDGE
    bridged = np.exp(intercept + slope * np.log(cpus["geekbench6_single"])).round()
    passmark = cpus["passmark_single"]
    basis = np.select([passmark.notna(), bridged.notna()], ["passmark", "geekbench6"], "")
    return cpus.assign(
        cores=cpus["cores"].mask(slice_of_a_host),
        threads=cpus["threads"].mask(slice_of_a_host),
        base_ghz=cpus["base_ghz"].where(cpus["base_ghz"].ge(0.8)),
        # "5.0 and 4.0": the newest generation stands first.
        pcie_gen=cpus["pcie_version"]
        .astype(str)
        .str.extract(r"^([\d.]+)")[0]
        .astype(float),
        single_thread_score=passmark.fillna(bridged),
        score_basis=basis,
        source=cpus["source"].fillna("").map(_repositories),
    )


def _repositories(source: str) -> str:
    """Return the repositories of a raw source, without the paths in them."""
    return "; ".join(dict.fromkeys(re.findall(r"[\w.-]+/[\w.-]+@\w+", source)))


def by_rule(keys: pd.Series, rules: tuple[tuple[str, str], ...]) -> pd.Series:
    """Return what the first rule that matches says of each key; NaN where none does."""
    return keys.map(
        lambda key: next((said for rule, said in rules if re.match(rule, key)), np.nan)
    )


def with_scores(cpus: pd.DataFrame, by_hand: pd.Series) -> pd.DataFrame:
    """Add the score of the microarchitecture, in place of one missing or wild too.

    One that is missing of a CPU `by_hand` is that of its microarchitecture however few
    others there are: a host that somebody met has its cores in the table.
    """
    kind = cpus["microarchitecture"].replace("", np.nan)
    per_ghz = (cpus["single_thread_score"] / cpus["boost_ghz"]).groupby(kind)
    medians, counts = per_ghz.median(), per_ghz.count()
    of_kind = kind.map(medians) * cpus["boost_ghz"]
    expected = of_kind.where(kind.map(counts) >= LEAST_OF_A_KIND)
    off = np.log(cpus["single_thread_score"] / expected).abs()
    wild = expected.notna() & ~off.le(math.log(PLAUSIBLE_FACTOR))
    wild |= by_hand & cpus["single_thread_score"].isna() & of_kind.notna()
    said = cpus["source"] + "; score by microarchitecture"
    return cpus.assign(
        class_score=expected.round(),
        single_thread_score=cpus["single_thread_score"].mask(wild, of_kind.round()),
        score_basis=cpus["score_basis"].mask(wild, "microarchitecture"),
        source=cpus["source"].mask(wild, said),
    )


def build() -> Texts:
    """Return the table."""
    cpus = compile_cpus(read("cpus.csv.gz"), read(BY_HAND))
    return {"advisor/hardware/data/cpus.csv": csv_text(cpus)}
