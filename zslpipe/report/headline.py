"""The result of a run in one sentence, in numbers of photos."""

from collections.abc import Mapping

from zslpipe.report.content import Count, RunContent
from zslpipe.report.tables import kind_of

WHOSE = {"unseen": "classes it had never seen", "seen": "known classes"}
CAVEATS = {
    "oracle": "The settings were chosen on these very photos, so this is an upper bound, not a result.",
    "not calibrated": "No validation chose a calibration.",
}


def headline(run: RunContent) -> str:
    """As in "Of 15 photos of classes it had never seen, 8 were named correctly; of 60 of known classes, 50."

    Empty if there are no test images.
    """
    if not run.counts:
        return ""
    seeds = len(run.about["seeds"])
    text = _sentence(run.counts)
    if seeds > 1:
        text = f"On average over {seeds} trainings, {text[0].lower()}{text[1:]}"
    if "unseen" not in run.counts:
        text += " There were no test photos of classes it had never seen."
    caveat = CAVEATS.get(kind_of(run.rows[0]))
    return f"{text} {caveat}" if caveat else text


def _sentence(counts: Mapping[str, Count]) -> str:
    parts: list[str] = []
    for side, count in counts.items():
        right = f"{count.right:.1f}".removesuffix(".0")
        if parts:
            parts.append(f"of {count.images} of {WHOSE[side]}, {right}")
        else:
            photos, were = "photo" if count.images == 1 else "photos", "was" if right == "1" else "were"
            parts.append(f"Of {count.images} {photos} of {WHOSE[side]}, {right} {were} named correctly")
    return f"{'; '.join(parts)}."
