"""Sections of a page that no hashed file may hold: spend, trials and luck, openings of the holdout, revisions.

They show the state of the ledger, the trial log and git's history when the page is made, and differ between machines.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stages.errors import count
from stages.fetching.listing_history import NOT_COMMITTED, Relisted
from stages.reporting.elements import Section, grid, number
from stages.sources.revisions import months_of
from stages.trading.trials import Entry

Document = Mapping[str, Any]
NULLS = {"dates": "this run's forecasts moved to other dates", "markets": "markets of random walks"}
GATES = {
    "forecast": "some symbol's forecast gates",
    "trading": "the trading gates",
    "verdict": "both, as a run must",
    "fdr": "some symbol's gate of false discoveries alone",
    "worth": "the buyer's verdict: WORTH IT",
}


def spend(runs: Sequence[Document], calls: Sequence[Document]) -> Section:
    """The latest runs that asked the service, and the share of questions answered from the store."""
    asking = [run for run in runs if "questions" in run]
    counted = sum(call["state"] != "refunded" for call in calls)
    titles = ("ended", "run", "experiment", "questions", "from the store, %", "bought")
    lines = [
        (f"{run['ended_utc'][:19]}Z", run["run"], run["experiment"], run["questions"], _hits([run]), run["bought"])
        for run in asking
    ]
    sentences = [
        f"{count(counted, 'request')} counted in the ledger's latest days, {count(len(runs), 'run')} in its latest "
        "records. This panel is the ledger's state today; it is not part of any hashed file.",
    ]
    if asking:
        asked, bought = (sum(run[field] for run in asking) for field in ("questions", "bought"))
        sentences.append(
            f"Over these runs {number(_hits(asking), 1)} % of {count(asked, 'question')} were answered from the store, "
            f"{count(bought, 'answer')} bought."
        )
    tables = (grid("Runs that asked the service", titles, lines),) if asking else ()
    return Section("spend", "Spend", tuple(sentences), grids=tables)


def trials(entries: Iterable[Entry], family: tuple[str, str], luck: Document | None) -> Section:
    """How many variants were ever tried, study by study, and how often this run's gates pass by luck."""
    tried: dict[tuple[str, str], set[str]] = {}
    for entry in entries:
        tried.setdefault(entry.family, set()).update(entry.variants)
    here = len(tried.get(family, set()))
    sentences = [
        f"{count(here, 'variant')} of this source and study are in this machine's trial log. The deflated Sharpe "
        "ratio of the page uses the committed count; `make trials` brings both up to date, also from commits and "
        "the remote."
    ]
    lines = [(*name, len(variants)) for name, variants in sorted(tried.items())]
    tables = [grid("Variants ever evaluated", ("source", "study", "variants"), lines)] if lines else []
    if luck is None:
        sentences.append("How often these gates pass by luck has not been measured yet: `make null` does so.")
    else:
        tables.append(_luck(luck))
    return Section("trials", "Trials and luck", tuple(sentences), grids=tuple(tables))


def openings(source: str, found: Mapping[str, str], *, shallow: bool = False) -> Section:
    """The strategies for which this source's holdout, or a month of it, was ever opened, and where it is recorded.

    A `shallow` clone knows only the newest commits.
    """
    strategies = {opening.split()[0] for opening in found}
    sentences = (
        f"The holdout of source {source} was opened for {count(len(strategies), 'strategy', 'strategies')}, as far as "
        "git and the trial log know. Each opening makes it a little less of a holdout.",
        *(("This clone is shallow and lacks earlier commits, so there may be more.",) if shallow else ()),
    )
    table = grid("Openings on the record", ("strategy", "where"), list(found.items()))
    return Section("openings", "Openings of the holdout", sentences, grids=(table,) if found else ())


def revisions(source: str, listings: Sequence[Relisted]) -> Section:
    """What the vendor added and revised, commit by commit, and since the last commit."""
    fresh = [month for one in listings if one.commit == NOT_COMMITTED for month in months_of(one.changes.revised)]
    sentences = (
        f"Since the last commit the vendor of source {source} revised {', '.join(fresh) or 'nothing'}, as far as "
        "`make refresh` listed it here. A run reads only the files of its own listing, whose hash is under Inputs.",
    )
    titles = ("commit", "day", "revised", "new", "gone")
    lines = [
        (one.commit, one.day, *map(_months, (one.changes.revised, one.changes.new, one.changes.gone)))
        for one in listings
    ]
    tables = (grid("Changes of the listing", titles, lines),) if listings else ()
    return Section("revisions", "Revisions of the source", sentences, grids=tables)


def _months(files: Sequence[Document]) -> str:
    return ", ".join(months_of(files)) or "none"


def _luck(found: Document) -> Any:
    lines = [
        (words, GATES[gate], rate["passed"], rate["n"], _percent(rate["ci"]))
        for null, words in NULLS.items()
        for gate, rate in found[null].items()
    ]
    titles = ("where there is nothing to find", "what passes", "passed", "of", "95 % interval")
    return grid("How often the gates pass by luck (`make null`)", titles, lines)


def _percent(interval: Sequence[float]) -> str:
    low, high = (number(100 * bound, 1) for bound in interval)
    return f"{low} to {high} %"


def _hits(runs: Sequence[Document]) -> float:
    asked = sum(one["questions"] for one in runs)
    return 100.0 * sum(one["from_store"] for one in runs) / asked if asked else 100.0
