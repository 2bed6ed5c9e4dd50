"""Pictures are reproducible and different from each other, and show every attribute."""

import numpy as np
import pytest
from PIL import Image

from zslpipe.demo.attributes import ATTRIBUTES, HABITATS
from zslpipe.demo.creature import draw_creature
from zslpipe.demo.pen import Pen
from zslpipe.demo.picture import draw_picture
from zslpipe.demo.scene import SCENES

PLAIN = {attribute.name: attribute.absent or attribute.values[0] for attribute in ATTRIBUTES}
DRAWN = [(a, v) for a in ATTRIBUTES if a.name != "habitat" for v in a.shares() if v != PLAIN[a.name]]


def portrait(traits: dict[str, str], seed: int = 5) -> np.ndarray:
    """A creature on a grey background, (160, 160, 3)."""
    image = Image.new("RGB", (160, 160), (128, 128, 128))
    draw_creature(Pen(image, (80, 140), 62, line=2), np.random.default_rng(seed), traits)
    return np.asarray(image).astype(int)


def test_equal_arguments_give_equal_pictures() -> None:
    assert draw_picture(3, 7, 2, 64).tobytes() == draw_picture(3, 7, 2, 64).tobytes()


@pytest.mark.parametrize("other", [(4, 7, 2), (3, 8, 2), (3, 7, 3)], ids=["seed", "class", "number"])
def test_other_arguments_give_other_pictures(other: tuple[int, int, int]) -> None:
    one, two = np.asarray(draw_picture(3, 7, 2, 64)).astype(int), np.asarray(draw_picture(*other, 64)).astype(int)
    assert (np.abs(one - two).max(axis=2) > 20).mean() > 0.2


def test_size() -> None:
    picture = draw_picture(0, 0, 0, 96)
    assert (picture.size, picture.mode) == ((96, 96), "RGB")


@pytest.mark.parametrize(("attribute", "value"), DRAWN, ids=lambda x: getattr(x, "name", x))
def test_each_value_is_visible(attribute, value: str) -> None:  # type: ignore[no-untyped-def]
    """The same creature looks different if one value is changed."""
    changed = np.abs(portrait(PLAIN) - portrait({**PLAIN, attribute.name: value})).max(axis=2) > 24
    assert changed.sum() > 60


@pytest.mark.parametrize("attribute", [a for a in ATTRIBUTES if a.name != "habitat"], ids=lambda a: a.name)
def test_no_two_values_look_alike(attribute) -> None:  # type: ignore[no-untyped-def]
    views = [portrait({**PLAIN, attribute.name: value}) for value in attribute.shares()]
    for k, one in enumerate(views):
        for other in views[k + 1 :]:
            assert (np.abs(one - other).max(axis=2) > 24).sum() > 60


def test_colours_match_their_names() -> None:
    def middle(colour: str) -> np.ndarray:
        return portrait({**PLAIN, "colour": colour})[60:130, 50:110].reshape(-1, 3).mean(0)  # type: ignore[no-any-return]

    assert middle("red").argmax() == 0
    assert middle("green").argmax() == 1
    assert middle("blue").argmax() == 2
    assert middle("yellow").argmin() == 2
    assert middle("purple").argmin() == 1
    assert np.ptp(middle("white")) < 12


def test_every_habitat_has_a_scene() -> None:
    assert set(SCENES) == set(HABITATS)
