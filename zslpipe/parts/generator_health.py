"""Whether the training of a feature generator goes well, from its losses."""

from collections.abc import Mapping, Sequence

VARIED, COLLAPSED = 0.1, 0.05  # spread of synthetic features, as a share of that of real ones
EXPLODED = 100.0  # mean gradient penalty, which is below one in a healthy training


def complaints(history: Sequence[Mapping[str, float]]) -> list[str]:
    """What goes wrong in a training with these mean losses of its epochs, once each, with the epoch (from 1).

    The spread starts near zero, so a generator has collapsed only if it had varied before.
    """
    told: dict[str, str] = {}
    widest = 0.0
    for epoch, losses in enumerate(history, 1):
        penalty, spread = losses.get("penalty", 0.0), losses.get("spread", 1.0)
        if penalty > EXPLODED:
            told.setdefault(
                "exploded",
                f"epoch {epoch}: the critic has exploded (gradient penalty {penalty:.3g}): lower the learning rate.",
            )
        if spread < COLLAPSED and widest > VARIED:
            told.setdefault(
                "collapsed",
                f"epoch {epoch}: the generator has collapsed: synthetic images of a class differ by {spread:.1%} of "
                "what real ones differ by: raise critic_weight or lower the learning rate.",
            )
        widest = max(widest, spread)
    return list(told.values())
