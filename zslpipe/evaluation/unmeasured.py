"""Why a number of the results table is "-": there was nothing to measure it on."""

from zslpipe.evaluation.protocol import Result


def why_unmeasured(result: Result) -> str:
    """A sentence on what could not be measured, and on the classes that only take part as candidates; empty if none."""
    images = result.images
    reasons = []
    if all(c.seen for c in result.classes):
        reasons.append("there is no unseen class: T1, U, H and AUSUC do not exist, and there is no δ to choose")
    elif not images["unseen"]:
        reasons.append("no unseen class has test images: T1, U, H and AUSUC cannot be measured")
    if not images["seen"]:
        reasons.append("no seen class has test images: S, H and AUSUC cannot be measured")
    untested = len(result.without_images)
    if untested and not reasons:
        reasons.append(f"{untested} of {len(result.classes)} classes have no test images: candidates, but not measured")
    return "; ".join(reasons)
