"""What the creatures are called: made up, but true of what they look like."""

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
_FEATURE = (  # of those that hold the one least used so far gives the second half of a first name
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


def name_all(chosen: Sequence[Mapping[str, str]]) -> list[str]:
    """'<place><feature> <kind>', such as Kelpback Snorf: place and feature are true of the creature."""
    names: list[str] = []
    uses: Counter[str] = Counter()
    for traits in chosen:
        fits = [half for part, value, half in _FEATURE if traits[part] == value]
        half = min(fits, key=lambda half: uses[half])
        place = _PLACE[traits["habitat"]][uses[traits["habitat"]] % len(_PLACE[traits["habitat"]])]
        kind = _KIND[traits["body"]].split()[uses[traits["body"]]]
        uses.update((half, traits["habitat"], traits["body"]))
        names.append(f"{place}{half} {kind}")
    return names
