"""Messages about a wrong `source.bar_label` or `source.zone`; none where the bars support them.

*Errors*: returned, not raised: a run that stops for a label writes its report first.
"""

from stages.errors import count
from stages.params.quality import DialectParams, QualityParams
from stages.quality.labels import LabelReading, Stretch, stamp
from stages.quality.verdicts import HardFailure

MEANING = {0: "start", 1: "end"}  # by the offset of the first stamp from the open, in minutes
CONSEQUENCE = {
    "start": "every decision would see a minute that is not over yet",  # read as ends
    "end": "every bar would count as known a minute late, and orders would fill at old prices",  # read as starts
}


def contradiction(
    reading: LabelReading, dialect: DialectParams, quality: QualityParams, against_nats: float = 0.0
) -> HardFailure | None:
    """The hard failure if the bars show with enough confidence that label or zone differ from the stated ones.

    The first minute itself may stay unknown, for instance if both candidates for it are wrong.
    """
    declared = int(dialect.bar_label == "end")
    wrong = [one for one in reading.stretches if one.offset_min != declared]
    asked = quality.label_min_confidence, quality.label_min_sessions
    sure = reading.against(declared, against_nats) >= quality.label_min_confidence
    if not wrong or not sure or reading.sessions < quality.label_min_sessions:
        return None
    confidence = f"confidence {reading.confidence:.1%}"
    if not reading.is_decided(*asked, against_nats):
        confidence = (
            f"confidence {reading.against(declared):.1%} that source.bar_label or source.zone is wrong, "
            f"{reading.confidence:.1%} that the first stamp is this one"
        )
    evidence = f"({confidence}; {reading.words})"
    return HardFailure("TS5", f"{_what(reading, wrong, declared, dialect)} {evidence}", wrong[0].first)


def undecided(reading: LabelReading, dialect: DialectParams, quality: QualityParams) -> str:
    """Why the bars do not show the label, and what to do; empty if they do."""
    if reading.is_decided(quality.label_min_confidence, quality.label_min_sessions):
        return ""
    return (
        f"the bars do not show whether a stamp names the start or the end of its minute: {reading.sessions} full "
        f"sessions hold evidence, confidence {reading.confidence:.1%}, quality.label_min_confidence requires "
        f"{quality.label_min_confidence:.1%} ({reading.words}). Look it up in the vendor's documents; then take a "
        f"longer span, or confirm source.bar_label {dialect.bar_label} with source.bar_label_trusted: true."
    )


def _what(reading: LabelReading, wrong: list[Stretch], declared: int, dialect: DialectParams) -> str:
    offsets = {one.offset_min for one in reading.stretches}
    if any(one.hours for one in wrong):
        return _zone(reading, next(one for one in wrong if one.hours), dialect)
    if len(offsets) > 1:
        return _switch(reading)
    (offset,) = offsets
    if offset in MEANING:
        meant = MEANING[offset]
        return (
            f"the stamps name the {meant} of each minute (the first of a session says {stamp(offset)}), but "
            f"source.bar_label is {dialect.bar_label}: correct it, since {CONSEQUENCE[meant]}."
        )
    late = offset - declared
    unknown = count(-late, "minute that is", "minutes that are")
    return (
        f"the stamps are {count(abs(late), 'minute')} {'late' if late > 0 else 'early'}: the minute from 09:30 on is "
        f"stamped {stamp(offset)} under source.bar_label {dialect.bar_label}; correct them at the source"
        + (f", since every decision would see {unknown} not over yet." if late < 0 else ".")
    )


def _zone(reading: LabelReading, first: Stretch, dialect: DialectParams) -> str:
    hours = "an hour" if abs(first.hours) == 1 else f"{abs(first.hours)} hours"
    side = "late" if first.hours > 0 else "early"
    off = f"by its stamps the session begins {hours} {side}, at {stamp(first.offset_min)}"
    if reading.is_new_york:
        return (
            f"{off} in New York: the stamps are New York's, read as {dialect.zone or 'the zone they carry'}; set "
            "source.zone to America/New_York, or correct the source where the stamps themselves carry a zone."
        )
    if len({one.hours for one in reading.stretches}) > 1:
        return f"{off}: the vendor's clock does not follow daylight saving in New York; correct source.zone."
    return f"{off}: the vendor's clock is not in the zone that was assumed; correct source.zone."


def _switch(reading: LabelReading) -> str:
    spans = "; ".join(
        f"{one.first} to {one.last} {stamp(one.offset_min)}"
        + (f" ({MEANING[one.minute]} labels)" if one.minute in MEANING else "")
        for one in _joined(reading.stretches)
    )
    return (
        f"the stamps change their meaning within the span; the first stamp of a session is: {spans}; correct the "
        "source."
    )


def _joined(stretches: tuple[Stretch, ...]) -> list[Stretch]:
    """The stretches, merged over changes between winter and summer time where the offset stays the same."""
    joined: list[Stretch] = []
    for one in stretches:
        if joined and joined[-1].offset_min == one.offset_min:
            before = joined.pop()
            one = Stretch(before.first, one.last, before.sessions + one.sessions, one.offset_min, one.utc_hours)
        joined.append(one)
    return joined
