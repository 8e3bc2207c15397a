"""`make refresh` and the stages it pins, as a user with a folder of bars meets them."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from stages.commands import source
from stages.runs import scratch
from stages.sources.revisions import Changes
from tests.commands.study_folder import StudyFolder, bars
from tests.sources import dialects
from tests.support.programs import Done, run_module


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bars listed, fetched and checked once."""
    path = tmp_path_factory.mktemp("desk") / "first"
    study = StudyFolder.at(path)
    study.configure()
    study.deliver(bars())
    study.run("refresh", "list_source", "fetch_bars", "check_data")
    return path


@pytest.fixture
def study(fetched: Path, tmp_path: Path) -> StudyFolder:
    """A copy of the context after its first run."""
    return StudyFolder(shutil.copytree(fetched, tmp_path / "desk", symlinks=True))


def test_a_folder_of_bars_becomes_sound_bars_of_the_same_values(study: StudyFolder) -> None:
    checked = pl.read_parquet(study.path / "artifacts/check_data/bars/STRONG.parquet")

    assert checked.select("open", "high", "low", "close", "volume").equals(bars().drop("time"))


def test_a_second_refresh_finds_nothing_new_and_writes_the_same_bytes(study: StudyFolder) -> None:
    before = (study.path / "conf/manifests/mine.json").read_bytes()
    done = study.run("refresh")

    assert done.stdout.startswith("refresh: listing=conf/manifests/mine.json files=2 new=0 revised=0 gone=0 seconds=")
    assert done.stdout.count("\n") == 1
    assert (study.path / "conf/manifests/mine.json").read_bytes() == before


def in_this_process(command: list[str], cwd: Path, env: dict[str, str], **_: object) -> Done:
    return run_module(cwd, f"stages.{command[-1]}", DVC_ROOT=env["DVC_ROOT"])


def test_a_revision_stops_the_run_until_refresh_has_told_what_changed(
    study: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stages of its price run in this process; that they are programs with an environment is seen below."""
    monkeypatch.setattr(scratch, "subprocess", SimpleNamespace(run=in_this_process))
    raised = pl.col("close") * 1.001
    second = pl.int_range(pl.len()) == 500
    study.deliver(bars().with_columns(pl.when(second).then(raised).otherwise("close").alias("close")))

    stopped = study.run("fetch_bars")
    told = study.run("refresh")
    accepted = study.run("list_source", "fetch_bars")

    assert (stopped.returncode, told.returncode) == (2, 0)
    assert "bars/STRONG_2024-09.parquet is not the listed file" in stopped.stderr
    assert "revised: STRONG 2024-09: 1 bar changed, 0 added, 0 removed on 2024-09-24; largest" in told.stdout
    assert "a close 10.00 bp" in told.stdout
    assert "plan: 32 questions to timegpt-2.1" in told.stdout, "the price of accepting it, at once"
    assert accepted.returncode == 0


@pytest.mark.journey  # five processes
def test_a_revision_of_a_file_of_many_symbols_is_reported_symbol_by_symbol(tmp_path: Path) -> None:
    """As epoch integers in a CSV of every symbol: what was fetched of each is compared with what now lies there."""
    study = StudyFolder.at(tmp_path / "desk")
    flat = {"uri_template": "bars/{yyyy}-{mm}.csv", "aliases": {"t": "ts", "who": "symbol"}, "unit": "s"}
    study.configure(source=flat, universe={"symbols": ["STRONG", "WEAK"]})

    def deliver(changed: pl.Expr) -> None:
        rows = (
            bars().with_columns(t=pl.col("time").dt.epoch("s"), month=pl.col("time").dt.strftime("%Y-%m")).drop("time")
        )
        both = pl.concat([rows.with_columns(who=pl.lit("STRONG")), rows.with_columns(changed, who=pl.lit("WEAK"))])
        for (month,), part in both.group_by("month"):
            part.drop("month").write_csv(study.path / f"bars/{month}.csv")

    deliver(pl.col("close"))
    done = study.run("refresh", "list_source", "fetch_bars", "check_data")
    assert done.returncode == 0, done.stderr
    assert "symbols=2" in done.stdout
    second = pl.int_range(pl.len()) == 500
    deliver(pl.when(second).then(pl.col("close") * 1.001).otherwise("close").alias("close"))
    told = study.run("refresh").stdout

    assert "revised: 2024-09 WEAK: 1 bar changed, 0 added, 0 removed on 2024-09-24; largest" in told
    assert "revised: 2024-09 STRONG: 0 bars changed" in told


def test_a_symbol_whose_rows_left_a_file_of_many_or_came_to_it_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is in the new file was told. Nothing is known of OLD, and NONE was and is in no file."""
    day = "2024-09-24"
    file = {"uri": f"{day}.csv", "symbol": None, "month": day[:7], "day": day, "size": 9, "md5": "0"}
    row = bars().head(1).rename({"time": "ts"})
    had = {"GONE": row, "CAME": pl.DataFrame(), "NONE": pl.DataFrame()}
    monkeypatch.setattr(source, "read_files", lambda files: [(files[0], b"")])
    monkeypatch.setattr(source, "parts_in", lambda *_: {"CAME": row, "OLD": row})
    monkeypatch.setattr(source, "earlier", lambda *_: had)
    revised, stated = Changes([], [file], []), dialects.source(uri_template="{yyyy}-{mm}-{dd}.csv")

    gone, came, old = source._sentences(revised, [file], stated, ["GONE", "CAME", "NONE", "OLD"])
    session = row["ts"].dt.date()[0]
    assert gone.startswith(f"revised: {day} GONE: 0 bars changed, 0 added, 1 removed on {session}")
    assert came.startswith(f"revised: {day} CAME: 0 bars changed, 1 added, 0 removed on {session}")
    assert old.startswith(f"revised: {day} OLD: another file of 9 bytes")
    assert [*source._sentences(revised, [file], stated, ["NONE"])] == [
        f"revised: {day}: another file of 9 bytes, which holds no row of universe.symbols"
    ]


@pytest.mark.journey  # a listing written twice
def test_files_that_came_and_went_are_named_by_month_and_what_cannot_be_priced_says_why(study: StudyFolder) -> None:
    (study.path / "bars/STRONG_2024-10.parquet").rename(study.path / "bars/STRONG_2024-11.parquet")
    done = study.run("refresh")

    assert done.returncode == 0
    assert "new: STRONG 2024-11\ngone: STRONG 2024-10\n" in done.stdout
    assert "no price: stage list_source cannot run with these params" in done.stdout
    assert "holds no file of STRONG for 2024-10" in done.stdout


def test_a_revised_file_that_cannot_be_read_leaves_the_old_listing_alone(study: StudyFolder) -> None:
    before = (study.path / "conf/manifests/mine.json").read_bytes()
    path = study.path / "bars/STRONG_2024-09.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    done = study.run("refresh")

    assert done.returncode == 2
    assert "STRONG_2024-09.parquet is not readable as parquet" in done.stderr
    assert (study.path / "conf/manifests/mine.json").read_bytes() == before


def test_bars_that_were_fetched_from_another_listing_are_not_compared_with(
    study: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_tell_price", lambda: None)  # told above, and some seconds of stages
    manifest = study.path / "artifacts/list_source/manifest.json"
    document = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(document | {"files": [file | {"md5": "0" * 32} for file in document["files"]]}))
    study.deliver(bars().with_columns(pl.col("close") * 1.001))
    done = study.run("refresh")

    assert "revised: STRONG 2024-09: another file of" in done.stdout
    assert "(its old rows are not here to compare it with)" in done.stdout


def test_a_file_that_shares_its_month_with_another_is_not_compared_with_the_rows_of_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_tell_price", lambda: None)
    study = StudyFolder.at(tmp_path / "desk")
    study.configure(source={"uri_template": "bars/{symbol}-*.parquet"})
    for number, part in enumerate((bars()[:1000], bars()[1000:])):
        part.write_parquet(study.path / f"bars/STRONG-{number}.parquet")
    study.run("refresh", "list_source", "fetch_bars")
    bars()[1000:].with_columns(pl.col("close") * 1.001).write_parquet(study.path / "bars/STRONG-1.parquet")
    told = study.run("refresh").stdout

    assert "(its old rows are not here to compare it with)" in told
    assert "removed" not in told


def test_a_symbol_that_the_template_does_not_find_leaves_the_old_listing_alone(study: StudyFolder) -> None:
    before = (study.path / "conf/manifests/mine.json").read_bytes()
    study.configure(universe={"symbols": ["STRONG", "TSLA"]})
    refreshed, listed = study.run("refresh"), study.run("list_source")

    assert (refreshed.returncode, listed.returncode) == (2, 2)
    assert "no file for symbol 'TSLA'" in refreshed.stderr
    assert "no file for symbol 'TSLA'" in listed.stderr
    assert (study.path / "conf/manifests/mine.json").read_bytes() == before


@pytest.mark.parametrize(
    ("sections", "code", "words"),
    [
        ({"source": {"bar_label": "end"}}, 2, "check TS5: the stamps name the start of each minute"),
        ({"source": {"aliases": {}}}, 2, "check SCH1: column 'ts' is missing"),
        ({"universe": {"symbols": ["STRONG", "TSLA"]}}, 2, "no bars of 'TSLA'"),
        ({"quality": {"min_session_completeness": 1.5}}, 5, "quality.min_session_completeness = 1.5"),
        ({"source": {"zone": "Gotham"}}, 5, "source.zone 'Gotham'"),
    ],
)
def test_the_gate_ends_with_one_sentence_and_the_right_code_and_earlier_bars_intact(
    study: StudyFolder, sections: dict[str, dict[str, object]], code: int, words: str
) -> None:
    before = (study.path / "artifacts/check_data/bars/STRONG.parquet").read_bytes()
    study.configure(**sections)
    stage = "fetch_bars" if "zone" in sections.get("source", {}) else "check_data"
    done = study.run(stage)

    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert (study.path / "artifacts/check_data/bars/STRONG.parquet").read_bytes() == before


def test_without_a_listing_the_remedy_is_named(study: StudyFolder) -> None:
    study.configure(source={"name": "another"})
    done = study.run("list_source")

    assert done.returncode == 2
    assert "conf/manifests/another.json is missing: run `make refresh`" in done.stderr


@pytest.mark.parametrize("damage", ["{}\n", "<<<<<<< HEAD\n"])
def test_a_damaged_listing_is_written_again_as_its_error_says(study: StudyFolder, damage: str) -> None:
    listing = study.path / "conf/manifests/mine.json"
    before = listing.read_bytes()
    listing.write_text(damage)
    assert "mine.json is not a listing of a source: `make refresh` writes it again" in study.run("list_source").stderr

    told = study.run("refresh").stdout
    assert "conf/manifests/mine.json was not a listing of a source, so every file counts as new." in told
    assert listing.read_bytes() == before
