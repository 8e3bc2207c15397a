"""Files of one symbol that cannot be joined: which of them has what, so that no file is blamed for another's fault."""

import polars as pl


def disagreement(first: str, earlier: pl.DataFrame, later: str, frame: pl.DataFrame) -> str:
    """Why the rows of file `later` do not fit those of file `first` and the ones after it, and what to do."""
    gone = [name for name in earlier.columns if name not in frame.columns]
    new = [name for name in frame.columns if name not in earlier.columns]
    if gone and new:
        return f"{first} has the columns {gone} where {later} has {new}: get both in one layout from the vendor."
    for lacks, has, names in ((later, first, gone), (first, later, new)):
        if names:
            return f"{lacks} lacks the columns {names}, which {has} has: get it again from the vendor."
    for name, dtype in earlier.schema.items():
        if not _joins(dtype, frame.schema[name]):
            return (
                f"column {name!r} holds {dtype} in {first} and {frame.schema[name]} in {later}: get both in one layout "
                "from the vendor."
            )
    return f"{first} and {later} cannot be joined: get both in one layout from the vendor."


def _joins(one: pl.DataType, other: pl.DataType) -> bool:
    """Whether values of two types fit into one column."""
    try:
        pl.concat(
            [pl.Series([], dtype=one).to_frame("x"), pl.Series([], dtype=other).to_frame("x")], how="vertical_relaxed"
        )
    except pl.exceptions.PolarsError:
        return False
    return True
