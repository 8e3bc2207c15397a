"""Whatever lies in a vendor's files: rows as they are, or one sentence that names the file or the symbol."""

import io
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.errors import ConfigurationError, DataContractError, PipelineError
from stages.fetching.bars import fetch_bars
from stages.fetching.files import find_files
from stages.fetching.inspection import inspect
from stages.params.universe import UniverseParams
from tests.sources.dialects import source

TEMPLATE = "bars/{symbol}_{yyyy}-{mm}.parquet"
SOURCE = source(uri_template=TEMPLATE)
COLUMNS = st.sampled_from(["ts", "open", "close", "größe", "../../x", ""])
VALUES = st.sampled_from(
    [
        pl.Series([1, 2]), pl.Series([1.5, None]), pl.Series(["9", "x"]), pl.Series([True, False]),
        pl.Series([b"\x00", b""]), pl.Series([[1], []]), pl.Series([None, None]), pl.Series([{"a": 1}, {"a": 2}]),
        pl.Series([0, 10**18]).cast(pl.Datetime("ns", "UTC")), pl.Series([0, 1]).cast(pl.Datetime("ms")),
        pl.Series([0, 1], dtype=pl.UInt8), pl.Series([2**62, -(2**62)]),
    ]
)  # fmt: skip
FRAMES = st.dictionaries(COLUMNS, VALUES, max_size=4).map(pl.DataFrame)


def written(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


@st.composite
def torn(draw: st.DrawFn) -> bytes:
    """A parquet file, cut, with bytes changed, or something else altogether."""
    content = bytearray(written(draw(FRAMES)))
    match draw(st.sampled_from(["whole", "cut", "poke", "other"])):
        case "cut":
            content = content[: draw(st.integers(0, len(content)))]
        case "poke":
            for place in draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
                content[place] = draw(st.integers(0, 255))
        case "other":
            content = bytearray(draw(st.binary(max_size=60)))
    return bytes(content)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("home")
    (path / "bars").mkdir()
    return path


@settings(max_examples=60, deadline=None)
@given(months=st.lists(torn(), min_size=1, max_size=3))
def test_any_file_is_read_as_it_is_or_named(home: Path, months: list[bytes]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(home))
        for old in (home / "bars").iterdir():
            old.unlink()
        for number, content in enumerate(months, 1):
            (home / f"bars/AAPL_2024-{number:02}.parquet").write_bytes(content)
        outcome = read()
    if isinstance(outcome, PipelineError):
        assert "AAPL" in str(outcome)
        assert outcome.exit_code in {2, 5}
    else:
        assert outcome.height == sum(pl.read_parquet(io.BytesIO(content)).height for content in months)


def read() -> pl.DataFrame | PipelineError:
    try:
        return fetch_bars("AAPL", find_files(TEMPLATE, "AAPL"), SOURCE, pl.DataFrame())[0]
    except PipelineError as error:
        return error


FIELDS = ("t", "open", "high", "low", "close", "volume", "symbol")
STRANGE = st.sampled_from(
    ["", "x", "1", "-1", "1e300", "nan", "2024-01-02 09:30", "04/05/2024 9:30", "9" * 20, "a;b", "\x00", "ÄÖ", "AAPL",
     "09:30", "20240102", chr(34)]
)  # fmt: skip
LINES = st.lists(st.lists(STRANGE, min_size=1, max_size=8).map(",".join), max_size=5).map("\n".join)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(["AAPL_2024-01.csv", "2024-01-02.csv", "x.txt", "month=1/AAPL.csv"]),
    text=LINES | LINES.map(lambda lines: f"{','.join(FIELDS)}\n2024-01-02 09:30,10,11,9,10,5,AAPL\n{lines}"),
    parquet=st.none() | torn(),
)
def test_a_look_into_any_files_ends_in_a_proposal_or_one_sentence(
    home: Path, name: str, text: str, parquet: bytes | None
) -> None:
    with tempfile.TemporaryDirectory(dir=home) as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(home))
        path = Path(folder, name if parquet is None else "AAPL.parquet")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode() if parquet is None else parquet)
        try:
            seen = inspect(folder)
        except (DataContractError, ConfigurationError):
            return
    assert seen.sample.height
    assert {*seen.source.aliases.values()} <= {"ts", "date", "time", *FIELDS[1:]}


@pytest.mark.parametrize("symbol", ["AAPL", "BRK.B", "BF-B", "X", "A1"])
def test_a_symbol_that_exchanges_use_is_taken(symbol: str) -> None:
    assert universe(symbol).all_symbols == (symbol,)


@settings(max_examples=60, deadline=None)
@given(
    symbol=st.text(max_size=12) | st.sampled_from(["../../x", "A/B", "a", "ÄPFEL", "A..B", ".A", "A B", "{x}", "A\n"])
)
def test_a_symbol_can_never_leave_its_folder_or_name_another(symbol: str) -> None:
    try:
        (taken,) = universe(symbol).all_symbols
    except ValueError:
        return
    assert taken.isascii()
    assert Path("bars", f"{taken}.parquet").name == f"{taken}.parquet"
    assert taken == taken.strip() == taken.upper()
    assert not {"/", "\\", "{", "}", "\0", "*", ".."} & {*taken, taken[:2]}


def universe(symbol: str) -> UniverseParams:
    return UniverseParams(
        symbols=(symbol,),
        whitelist=(),
        context_symbol=None,
        context_symbols=(),
        first_session="2024-01-02",
        last_session="2024-01-03",
    )
