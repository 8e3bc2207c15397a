"""What changed between two listings of a source, and between two deliveries of one file.

*Units*: `largest_bp` is the largest change of a close, in bp of log price.
"""

from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True)
class Changes:
    """Files of the new listing that the old one lacks or holds otherwise, and files that are gone."""

    new: list[dict[str, Any]]
    revised: list[dict[str, Any]]
    gone: list[dict[str, Any]]


@dataclass(frozen=True)
class Revision:
    """How the rows of one file changed."""

    days: tuple[str, ...]
    changed: int
    added: int
    removed: int
    largest_bp: float

    def __str__(self) -> str:
        days = ", ".join(self.days[:5]) + (f" and {len(self.days) - 5} more days" if len(self.days) > 5 else "")
        return (
            f"{self.changed} bars changed, {self.added} added, {self.removed} removed on {days or 'no day'}; "
            f"largest change of a close {self.largest_bp:.2f} bp"
        )


def changes(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> Changes:
    """Compare two listings by uri; a file is revised when its content is another one."""
    before, after = ({file["uri"]: file for file in files} for files in (old, new))
    return Changes(
        new=[file for uri, file in after.items() if uri not in before],
        revised=[file for uri, file in after.items() if uri in before and _content(before[uri]) != _content(file)],
        gone=[file for uri, file in before.items() if uri not in after],
    )


def change_of_form(before: pl.DataFrame, after: pl.DataFrame) -> str | None:
    """Columns that came, went or hold another kind of value; null where rows can be compared. Numbers are one kind."""
    told = []
    for name in dict.fromkeys([*before.columns, *after.columns]):
        was, now = before.schema.get(name), after.schema.get(name)
        if was != now and not (was and now and was.is_numeric() and now.is_numeric()):
            told.append(f"{name} was {was or 'absent'} and is {now or 'absent'}")
    return "; ".join(told) or None


def revision(before: pl.DataFrame, after: pl.DataFrame, ts: str, close: str) -> Revision:
    """Compare the rows that were read with those of a file of the same form, within the file's own span of time."""
    span = before.filter(pl.col(ts).is_between(after[ts].min(), after[ts].max()))
    values = [name for name in after.columns if name != ts and name in before.columns]
    both = span.join(after, on=ts, how="full", suffix=" after", coalesce=True).with_columns(
        added=~pl.col(ts).is_in(span[ts].implode()), removed=~pl.col(ts).is_in(after[ts].implode())
    )
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name} after")) for name in values)
    touched = both.filter(pl.col("added") | pl.col("removed") | differs)
    kept = touched.filter(~pl.col("added") & ~pl.col("removed"))
    moves = kept.select((pl.col(f"{close} after") / pl.col(close)).log().abs()).to_series()
    return Revision(
        days=tuple(touched[ts].dt.date().unique().sort().cast(pl.String)),
        changed=kept.height,
        added=int(touched["added"].sum()),
        removed=int(touched["removed"].sum()),
        largest_bp=1e4 * float(moves.max() or 0.0),  # type: ignore[arg-type]
    )


def _content(file: dict[str, Any]) -> tuple[Any, ...]:
    return file["size"], file["md5"], file.get("generation") if file["md5"] is None else None
