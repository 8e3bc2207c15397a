"""`make new-run` writes a preset that composes, tells what its span allows, and never half a file."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
import yaml

from stages.configuration.compose import compose
from stages.errors import ConfigurationError, DataContractError
from tests.sources import vendors

BARS = "bars/{symbol}-{yyyy}.parquet"
SPAN = ("--first", "2024-01-02", "--last", "2024-04-05")
PRESET = "conf/preset/mine.yaml"


def test_a_quarter_of_one_symbol_is_counted_session_by_session(project):
    """66 sessions of XNYS: 4 of history, then 46 to search, 1 embargo, 15 sealed; four snapshots on each of the 62."""
    told = project.run(
        "new-run", "mine", "--uri", BARS, "--symbols", "AAPL", *SPAN, "--history", "4", "--holdout", "15"
    )
    assert "66 sessions: 4 of history, 46 to search, 1 embargo, 15 sealed" in told
    assert "at most 248 questions in 248 calls" in told
    assert (
        "about 36 days to judge forecasts by, after 10 to learn the calibration from" in told
    )  # 40 outcomes at 4 a day
    assert "gates.min_forecast_days requires 40" in told


def test_a_span_that_is_long_enough_is_not_complained_of(project):
    told = project.run("new-run", "mine", "--uri", BARS, "--symbols", "AAPL", "--history", "4")
    assert "too few" not in told


def test_symbols_share_their_calls(project):
    told = project.run("new-run", "mine", "--uri", BARS, "--symbols", "AAPL", "MSFT", *SPAN, "--history", "4")
    assert "at most 496 questions in 248 calls" in told


def test_a_span_that_no_gate_could_judge_is_reported_before_anything_is_bought(project):
    long = ("--history", "40", "--holdout", "30")
    told = project.run("new-run", "mine", "--uri", BARS, "--symbols", "AAPL", *SPAN, *long)
    assert "0 to search" in told
    assert "too few: gates.min_forecast_days requires 40" in told


@pytest.mark.parametrize(("holdout", "told"), [("19", True), ("20", False)])
def test_a_holdout_that_no_gate_could_judge_is_reported_before_it_is_sealed(project, holdout, told):
    """A Sharpe ratio needs 20 sessions, so that the remedy for too few days to judge is not a smaller holdout."""
    sizes = ("--history", "4", "--holdout", holdout)
    lines = project.run("new-run", "mine", "--uri", BARS, "--symbols", "AAPL", *SPAN, *sizes)
    assert ("too few sealed: the Sharpe ratio of the holdout needs 20 sessions" in lines) == told
    assert "fewer split.holdout_sessions" not in lines


def test_the_preset_says_what_was_asked_and_symbols_stay_text(project):
    project.run("new-run", "mine", "--uri", "gs://bars/{symbol}.parquet", "--symbols", "ON", "--aliases", "c=close")
    made = compose(overrides=["preset=mine"])
    assert made["source"]["kind"] == "gcs"
    assert made["source"]["aliases"] == {"c": "close"}
    assert made["universe"]["symbols"] == made["universe"]["whitelist"] == ["ON"]
    assert made["costs"]["tick_size"]["ON"] == 0.01
    assert made["split"]["open_holdout"] is None
    assert made["sweep"]["grid"]["history_days"] == made["requests"]["history_days"] == [40]
    assert yaml.safe_load(project.text("params.yaml"))["report"]["study"] != "mine", "nothing stands before `make use`"


def test_a_folder_is_enough_and_each_finding_stands_with_its_evidence(project):
    """Daily files of two symbols, stamps in ns; ten sessions, in whose middle the clocks change."""
    (project.path / "bars").mkdir()
    vendors.massive(project.path / "bars")
    told = project.run("new-run", "mine", "--uri", "bars")
    made = compose(overrides=["preset=mine"])
    assert made["source"]["uri_template"] == "bars/us_stocks_sip/minute_aggs_v1/{yyyy}/{mm}/{yyyy}-{mm}-{dd}.csv.gz"
    assert made["source"]["aliases"] == {"ticker": "symbol", "window_start": "ts"}
    assert (made["source"]["unit"], made["source"]["zone"], made["source"]["bar_label"]) == ("ns", None, "start")
    assert made["universe"]["symbols"] == ["AAPL", "MSFT"]
    assert (made["universe"]["first_session"], made["universe"]["last_session"]) == ("2024-10-28", "2024-11-08")
    for evidence in ("10 files, all symbols in each, one a day", "100.0% of 780 rows", "is 2024-10-28 13:30:00 UTC"):
        assert evidence in told
        assert evidence in " ".join(project.text(PRESET).replace("\n  #", "").split())


def test_stamps_without_a_zone_are_those_of_the_clock_on_which_trading_begins_at_the_open(project):
    (project.path / "bars").mkdir()
    vendors.kibot(project.path / "bars")
    told = project.run("new-run", "mine", "--uri", "bars")
    assert compose(overrides=["preset=mine"])["source"]["zone"] == "America/New_York"
    assert "trading begins at the open in 10 sessions" in told


@pytest.mark.parametrize("forms", [{"ts": "%Y%m%d %H:%M:%S"}, {"date": "%m/%d/%Y", "time": "%H:%M"}])
def test_text_stamps_of_a_parquet_file_are_looked_at_under_our_own_names_too(project, forms):
    local = pl.col("ts").dt.convert_time_zone("America/New_York")
    stamps = [local.dt.strftime(form).alias(name) for name, form in forms.items()]
    vendors.BARS["AAPL"].select(*stamps, pl.exclude("ts")).write_parquet(project.path / "AAPL.parquet")
    project.run("new-run", "mine", "--uri", "AAPL.parquet")
    assert compose(overrides=["preset=mine"])["source"]["stamp_format"] == " ".join(forms.values())


def test_where_no_zone_fits_the_preset_leaves_it_to_you(project):
    """A clock that no list of zones holds: the preset is there to be edited, and says so."""
    local = pl.col("ts").dt.convert_time_zone("Asia/Kathmandu").dt.replace_time_zone(None)
    vendors.BARS["AAPL"].with_columns(local).write_parquet(project.path / "AAPL.parquet")
    told = project.run("new-run", "mine", "--uri", "AAPL.parquet")
    made = compose(overrides=["preset=mine"])
    assert made["source"]["zone"] is None
    assert (made["universe"]["first_session"], made["universe"]["last_session"]) == ("2024-10-28", "2024-11-08")
    assert "in no zone does trading begin at 09:30 New York in most sessions: state it" in told


def test_days_without_a_session_are_no_span_whatever_their_clock(project):
    saturday = pl.col("ts").dt.replace_time_zone(None) + timedelta(days=1)
    friday = vendors.BARS["AAPL"].filter(pl.col("ts").dt.date() == date(2024, 11, 1))
    friday.with_columns(saturday).write_parquet(project.path / "AAPL.parquet")
    with pytest.raises(DataContractError, match=r"no row of AAPL lies in a session of the exchange\.$"):
        project.run("new-run", "mine", "--uri", "AAPL.parquet")


def test_bars_of_five_minutes_are_reported_as_such(project):
    every_fifth = vendors.BARS["AAPL"].filter(pl.col("ts").dt.minute() % 5 == 0)
    every_fifth.write_parquet(project.path / "AAPL.parquet")
    with pytest.raises(DataContractError, match="are 5 minutes apart"):
        project.run("new-run", "mine", "--uri", "AAPL.parquet")


def test_a_stamp_beyond_every_calendar_is_counted_and_nothing_but_such_stamps_is_refused(project):
    bars = vendors.BARS["AAPL"]
    for name, odd in (("AAPL", bars.height - 1), ("MSFT", 0)):
        far = pl.int_range(pl.len()) >= odd
        bars.with_columns(
            pl.when(far).then(pl.col("ts").dt.offset_by("7000y")).otherwise("ts").alias("ts")
        ).write_parquet(project.path / f"{name}.parquet")
    told = project.run("new-run", "mine", "--uri", "AAPL.parquet")
    assert "stamps beyond 1990-01-01 to 2099-12-31: 1 (see whether all files have one unit)" in told
    assert compose(overrides=["preset=mine"])["universe"]["last_session"] == "2024-11-08"
    with pytest.raises(DataContractError, match=r"the stamps run from 9024-10-28 to 9024-11-08, and sessions lie betw"):
        project.run("new-run", "other", "--uri", "MSFT.parquet")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_first_file_without_rows_is_passed_over(project, ending):
    """As vendors deliver of the days before a symbol was listed."""
    bars = vendors.BARS["AAPL"].filter(pl.col("ts").dt.date() >= pl.date(2024, 10, 29))
    for day in bars["ts"].dt.date().unique().append(pl.Series([date(2024, 10, 28)])):
        rows = bars.filter(pl.col("ts").dt.date() == day)
        path = project.path / f"AAPL_{day}.{ending}"
        rows.write_csv(path) if ending == "csv" else rows.write_parquet(path)
    project.run("new-run", "mine", "--uri", f"{{symbol}}_{{yyyy}}-{{mm}}-{{dd}}.{ending}")
    universe = compose(overrides=["preset=mine"])["universe"]
    assert (universe["first_session"], universe["last_session"]) == ("2024-10-29", "2024-11-08")


def test_end_labels_are_proposed_as_such(project):
    for symbol, bars in vendors.BARS.items():
        bars.with_columns(pl.col("ts") + timedelta(minutes=1)).write_parquet(project.path / f"{symbol}_bars.parquet")
    project.run("new-run", "mine", "--uri", "{symbol}_bars.parquet")
    made = compose(overrides=["preset=mine"])
    assert (made["source"]["bar_label"], made["source"]["uri_template"]) == ("end", "{symbol}_bars.parquet")
    assert made["universe"]["symbols"] == ["AAPL", "MSFT"]


def test_scattered_minutes_without_a_bar_are_reported_with_what_to_state(project):
    bars = vendors.BARS["AAPL"]
    traded = np.random.default_rng(1).random(bars.height) > 0.07
    for name, rows in (("THIN", bars.filter(pl.Series(traded))), ("FULL", bars)):
        rows.write_parquet(project.path / f"{name}_bars.parquet")
    told = project.run("new-run", "thin", "--uri", "THIN_bars.parquet", "--symbols", "THIN")
    assert "quality.by_symbol: {THIN: {no_trade_minutes: quiet, quiet_max_min:" in told
    assert "then 10 of 10 sessions are usable" in told
    told = project.run("new-run", "full", "--uri", "FULL_bars.parquet", "--symbols", "FULL")
    assert "no_trade_minutes" not in told


def test_what_is_stated_wins_over_what_is_found(project):
    (project.path / "bars").mkdir()
    vendors.massive(project.path / "bars")
    stated = ("--symbols", "MSFT", "--first", "2024-10-30", "--history", "2", "--holdout", "3")
    project.run("new-run", "mine", "--uri", "bars", *stated)
    made = compose(overrides=["preset=mine"])
    assert made["universe"]["symbols"] == ["MSFT"]
    assert made["universe"]["first_session"] == "2024-10-30"
    assert (made["requests"]["history_days"], made["split"]["holdout_sessions"]) == ([2], 3)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (
            ("--symbols", "TSLA"),
            r"no file is named after TSLA; files are named after AAPL, MSFT: correct SYMBOLS=, or write",
        ),
        (
            ("--aliases", "shut=close"),
            r"ALIASES names 'shut', but AAPL\.parquet has only \['ts', 'open', .*\]: correct it",
        ),
        (("--aliases", "ts=date"), r"with ALIASES AAPL\.parquet has no column for ts: correct them"),
        (("--aliases", "open=close"), r"ALIASES names 'open' for 'close', but AAPL\.parquet has both: remove it"),
        (
            ("--first", "2024-11-04", "--last", "2024-11-01"),
            r"FIRST 2024-11-04 and LAST 2024-11-01 are not in order bet",
        ),
    ],
)
def test_what_is_stated_must_fit_the_files(project, typed, told):
    for symbol, bars in vendors.BARS.items():
        bars.write_parquet(project.path / f"{symbol}.parquet")
    with pytest.raises((ConfigurationError, DataContractError), match=told):
        project.run("new-run", "mine", "--uri", str(project.path), *typed)
    assert not (project.path / PRESET).exists()


def test_a_stated_column_takes_the_place_of_the_one_that_its_name_would_be(project):
    adjusted = vendors.BARS["AAPL"].rename({"close": "Close"}).with_columns(adjusted="Close")
    adjusted.write_parquet(project.path / "AAPL.parquet")
    project.run("new-run", "mine", "--uri", "AAPL.parquet", "--aliases", "adjusted=close")
    assert compose(overrides=["preset=mine"])["source"]["aliases"] == {"adjusted": "close"}


def test_a_manual_beside_the_bars_is_passed_over_and_a_file_that_is_no_table_is_named(project):
    (project.path / "bars").mkdir()
    for name in ("README", "manual"):
        (project.path / f"bars/{name}.txt").write_text("how to read these bars\n")
    with pytest.raises(DataContractError, match=r"URI bars: manual\.txt: the file begins with"):
        project.run("new-run", "mine", "--uri", "bars")
    vendors.BARS["AAPL"].write_parquet(project.path / "bars/aapl_1min.parquet")
    project.run("new-run", "mine", "--uri", "bars", "--symbols", "AAPL")
    assert compose(overrides=["preset=mine"])["source"]["uri_template"] == "bars/{symbol_lower}_1min.parquet"


def test_a_text_column_without_a_name_is_no_symbol_where_paths_name_others(project):
    """As the code of the exchange beside each row; what one path alone names may be a plain word."""
    for symbol, bars in vendors.BARS.items():
        bars.with_columns(pl.lit("XNAS")).write_csv(project.path / f"{symbol}.csv", include_header=False)
    project.run("new-run", "two", "--uri", str(project.path / "{symbol}.csv"))
    assert compose(overrides=["preset=two"])["universe"]["symbols"] == sorted(vendors.BARS)
    with pytest.raises(DataContractError, match=r"the path names AAPL, but an unnamed column XNAS: set SYMBOLS="):
        project.run("new-run", "one", "--uri", "AAPL.csv")
    project.run("new-run", "one", "--uri", "AAPL.csv", "--symbols", "AAPL")
    assert compose(overrides=["preset=one"])["source"]["csv"]["columns"][-1] == "column_7"


@pytest.mark.parametrize("written", ["{}.US", "NASDAQ:{}", "small"])
def test_a_column_that_writes_the_symbols_of_the_paths_otherwise_is_not_read(project, written):
    for symbol, bars in vendors.BARS.items():
        name = symbol.lower() if written == "small" else written.format(symbol)
        bars.with_columns(Ticker=pl.lit(name)).write_parquet(project.path / f"{symbol}.parquet")
    told = project.run("new-run", "mine", "--uri", str(project.path / "{symbol}.parquet"))
    assert "Ticker is not read" in told
    made = compose(overrides=["preset=mine"])
    assert (made["universe"]["symbols"], made["source"]["aliases"]) == (sorted(vendors.BARS), {})


def test_a_column_of_symbols_of_unknown_name_is_asked_for(project):
    both = pl.concat(bars.with_columns(ric=pl.lit(symbol)) for symbol, bars in vendors.BARS.items())
    both.write_parquet(project.path / "bars1.parquet")
    with pytest.raises(DataContractError, match=r'if one holds symbols, name it, ALIASES="COLUMN=symbol"'):
        project.run("new-run", "mine", "--uri", "bars1.parquet")
    project.run("new-run", "mine", "--uri", "bars1.parquet", "--aliases", "ric=symbol")
    assert compose(overrides=["preset=mine"])["universe"]["symbols"] == ["AAPL", "MSFT"]


def test_paths_that_name_no_symbol_are_told_by_the_rows_and_text_prices_stop_no_search_for_symbols(project):
    (project.path / "bars").mkdir()
    both = pl.concat(bars.with_columns(Ticker=pl.lit(symbol)) for symbol, bars in vendors.BARS.items())
    for exchange in ("NYSE", "NASDAQ"):
        both.write_parquet(project.path / f"bars/{exchange}.parquet")
    with pytest.raises(DataContractError, match=r"paths name NASDAQ, NYSE, but rows of .* name AAPL, MSFT: .*write \*"):
        project.run("new-run", "mine", "--uri", "bars")
    project.run("new-run", "mine", "--uri", "bars/*.parquet")
    assert compose(overrides=["preset=mine"])["universe"]["symbols"] == ["AAPL", "MSFT"]
    both.with_columns(pl.col("open", "high", "low", "close").cast(pl.String)).write_parquet(project.path / "a1.parquet")
    with pytest.raises(DataContractError, match="column 'open' holds String, not numbers"):
        project.run("new-run", "text", "--uri", "a1.parquet")


def test_of_a_folder_of_very_many_symbols_the_largest_are_proposed(project):
    (project.path / "bars").mkdir()
    for number in range(20):
        vendors.BARS["AAPL"].head(195 * (number + 1)).write_parquet(project.path / f"bars/S{number:02}.parquet")
    project.run("new-run", "mine", "--uri", "bars")
    assert compose(overrides=["preset=mine"])["universe"]["symbols"] == ["S15", "S16", "S17", "S18", "S19"]


def test_a_folder_without_bars_leaves_no_preset_and_says_where_it_looked(project):
    with pytest.raises(DataContractError, match=r"URI elsewhere: there is no file under elsewhere"):
        project.run("new-run", "mine", "--uri", "elsewhere")
    assert not (project.path / PRESET).exists()


@pytest.mark.parametrize("name", ["null", "none", "nan", "Mine", "2024", "../mine", ""])
def test_a_name_that_yaml_or_a_folder_would_misread_is_refused(project, name):
    with pytest.raises(ConfigurationError, match="cannot be a name"):
        project.run("new-run", name, "--uri", BARS, "--symbols", "AAPL")


def test_a_preset_that_exists_is_not_written_over(project):
    before = project.text("conf/preset/smoke.yaml")
    with pytest.raises(ConfigurationError, match="exists"):
        project.run("new-run", "smoke", "--uri", BARS, "--symbols", "AAPL")
    assert project.text("conf/preset/smoke.yaml") == before


@pytest.mark.parametrize(
    ("uri", "aliases", "why"),
    [
        ("bars/{ticker}.parquet", [], "may hold {symbol}"),
        (BARS, ["c"], "VENDOR=OURS"),
        (BARS, ["c=Close"], r"VENDOR=OURS: write them like c=close; ours are symbol, ts, .* volume"),
        (BARS, ["c=close", "last=close"], "name a column twice"),
    ],
)
def test_what_cannot_run_leaves_no_file(project, uri, aliases, why):
    with pytest.raises(ConfigurationError, match=why):
        project.run("new-run", "mine", "--uri", uri, "--symbols", "AAPL", "--aliases", *aliases)
    assert not (project.path / PRESET).exists()


def test_what_is_typed_is_a_text_of_the_preset_and_nothing_else(project):
    uri = "bars/{symbol}\"\\'\n#: $(id) %s.parquet"
    project.run("new-run", "mine", "--uri", uri, "--symbols", "AAPL ON", "--aliases", 'a"b=close ${x}=open')
    made = compose(overrides=["preset=mine"])
    assert made["source"]["uri_template"] == uri
    assert made["source"]["aliases"] == {'a"b': "close", "${x}": "open"}
    assert made["universe"]["symbols"] == ["AAPL", "ON"]


def test_a_preset_may_have_a_name_that_is_no_text_to_yaml(project):
    project.run("new-run", "on", "--uri", "bars/{symbol}.parquet", "--symbols", "AAPL")
    made = compose(overrides=["preset=on"])
    assert (made["source"]["name"], made["report"]["study"]) == ("on", "on")


def test_a_variable_of_the_environment_is_not_read_into_a_preset(project):
    with pytest.raises(ConfigurationError, match=r"'\$\{oc\.env:HOME\}/\{symbol\}' may hold"):
        project.run("new-run", "mine", "--uri", "${oc.env:HOME}/{symbol}", "--symbols", "A")


@pytest.mark.parametrize("typed", [("--symbols", "../A"), ("--symbols", 'A"\nx: 1'), ("--first", '2024-01-02"\nx: "1')])
def test_what_is_no_symbol_or_day_leaves_no_preset(project, typed):
    with pytest.raises(ConfigurationError):
        project.run("new-run", "mine", "--uri", BARS, "--symbols", "A", *typed)
    assert not (project.path / PRESET).exists()
