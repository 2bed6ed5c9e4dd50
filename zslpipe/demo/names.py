"""Names of the creatures: invented, but they match their looks."""

from collections import Counter
from collections.abc import Mapping, Sequence

_PLACE = {
    "meadow": ("Clover", "Daisy", "Bramble", "Thistle", "Fern", "Meadow", "Willow", "Hay"),
    "desert": ("Dune", "Ember", "Sand", "Cactus", "Copper", "Dust", "Sun", "Mesa"),
    "snow": ("Frost", "Rime", "Icicle", "Snow", "Drift", "Glacier", "Flurry", "Pine"),
    "night": ("Moon", "Dusk", "Star", "Shadow", "Comet", "Night", "Velvet", "Gloam"),
    "sea bed": ("Kelp", "Coral", "Tide", "Pearl", "Foam", "Lagoon", "Reef", "Salt"),
    "autumn": ("Acorn", "Maple", "Russet", "Amber", "Chestnut", "Leaf", "Harvest", "Oak"),
}
_FEATURE = (  # attribute, value and word; the least used matching word becomes the second part of the first name
    ("shell", "hard", "back"),
    ("wings", "feathered", "wing"),
    ("coat", "spiny", "spine"),
    ("antennae", "glowing", "glow"),
    ("crest", "tufted", "crest"),
    ("tail", "bushy", "brush"),
    ("horns", "one", "spire"),
    ("horns", "two", "horn"),
    ("ears", "long", "lop"),
    ("whiskers", "long", "whisker"),
    ("pattern", "stripes", "band"),
    ("pattern", "spots", "dapple"),
    ("mouth", "fangs", "fang"),
    ("coat", "shaggy", "mop"),
    ("ears", "pointed", "ear"),
    ("ears", "round", "ear"),
)
_KIND = {
    "round": "Snorf Blub Pumple Boffin Globbet Wob Mumble Puff Dollop Bumbo Oomp Plum",
    "tall": "Wigget Lank Quill Totter Stilt Gawk Yonder Pindle Loom Spriggle Hob Tamp",
    "long": "Slink Noodle Trundle Wurm Ferrel Loll Snoot Dachet Sausel Lurch Ripple Ooze",
    "boxy": "Grum Tock Brock Clunk Blocket Cobb Hump Stodge Crate Thud Knack Dob",
}


def name_creatures(chosen: Sequence[Mapping[str, str]]) -> list[str]:
    """Names '<place><feature> <kind>', such as Kelpback Snorf; place and feature match habitat and looks."""
    names: list[str] = []
    uses: Counter[str] = Counter()
    for traits in chosen:
        matching = [word for part, value, word in _FEATURE if traits[part] == value]
        feature = min(matching, key=lambda word: uses[word])
        place = _PLACE[traits["habitat"]][uses[traits["habitat"]] % len(_PLACE[traits["habitat"]])]
        kind = _KIND[traits["body"]].split()[uses[traits["body"]]]
        uses.update((feature, traits["habitat"], traits["body"]))
        names.append(f"{place}{feature} {kind}")
    return names
