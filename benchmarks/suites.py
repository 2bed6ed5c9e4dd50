"""The suites of `real_results.py`: which heads are trained on which stores, with which settings."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

SMALL = "CUB50, a third at 128 px"
SMALL_FLO = "FLO, a third at 128 px"


@dataclass(frozen=True, eq=False)
class Task:
    """One row: a head and its settings on a store, selected by the default rule or with these options of it."""

    store: str
    semantics: str
    label: str
    head: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    rule: Mapping[str, Any] = field(default_factory=dict)


BIRDS = {"epochs": 12, "precision": "bfloat16"}  # of the heads that look at regions: they are slow, and settled by then
PEAKED = {"normalise_words": False, "scale_attention": False}  # attention as in the paper of AttentionNet
LOSSES = {"SCE": "sce", "SCE + ReMSE": "sce+remse", "SCE + Balanced MSE": "sce+balanced-mse"}
CLOSED: tuple[str, str, dict[str, Any]] = ("eszsl", "eszsl", {})
EVERYWHERE = (("CUB resnet1000", "att"), ("CUB resnet1000", "sentences"), ("CUB50", "att"), ("FLO", "att"))


def spine() -> list[Task]:
    """The closed form and the global branch of ReMSE on everything; on CUB also a stronger ridge than is chosen."""
    linear = ("remse, global", "remse", {"branch": "global"})
    strong = ("eszsl, γ = 10, λ = 1", "eszsl", {"gamma": 10, "lambda_": 1})
    tasks = [Task(*problem, *head) for problem in EVERYWHERE[:2] for head in (CLOSED, strong, linear)]
    return tasks + [Task(*problem, *head) for problem in EVERYWHERE[2:] for head in (CLOSED, linear)]


def remse() -> list[Task]:
    """Table IV of Ye et al. (2023): branches with and without ReMSE; on CUB50 also Balanced MSE instead of it."""

    def row(store: str, semantics: str, branch: str, loss: str, **more: Any) -> Task:
        settings = {"branch": branch, "loss": LOSSES[loss], **more}
        return Task(store, semantics, f"{branch}, {loss}", "attention-net", settings)

    problems = (("CUB resnet1000", "att"), ("CUB resnet1000", "sentences"), ("FLO", "att"))
    rows = [row(*problem, "global", loss) for problem in problems for loss in ("SCE", "SCE + ReMSE")]
    rows += [row("CUB50", "att", "global", loss) for loss in LOSSES]
    rows += [row("CUB50", "att", "attention", loss, **BIRDS, **PEAKED) for loss in ("SCE", "SCE + ReMSE")]
    return rows + [row("CUB50", "att", "fused", loss, **BIRDS, **PEAKED) for loss in LOSSES]


def attention() -> list[Task]:
    """Fused branches with maps as in the paper and with flat ones, which validation chose; other heads beside them."""
    shared = {"loss": LOSSES["SCE"], **BIRDS}
    rows: dict[str, dict[str, Any]] = {
        "global": {"branch": "global"},
        "fused, maps as in the paper": {"branch": "fused", **PEAKED},
        "fused, flat maps": {"branch": "fused"},
    }
    tasks = [Task("CUB50", "att", label, "attention-net", {**shared, **own}, ONE_FOLD) for label, own in rows.items()]
    return [*tasks, *(Task("CUB50", "att", name, name, BIRDS, ONE_FOLD) for name in ("apn", "gem"))]


def regression() -> list[Task]:
    """What centring gives, what the regression terms add, and whether ReMSE's weights or their size does it.

    Of 0.003, 0.01, 0.03 and 0.1 without centring, λ = 0.003 validates best for ReMSE on CUB50 and 0.03 on CUB; 0.01 is
    the head's default, and the best of 0.01, 0.1 and 1 for Balanced MSE. "Same size" is the normalised MSE at a λ 5.2
    times as large, since so much larger the weights of ReMSE make the term.
    """
    terms: dict[str, dict[str, Any]] = {
        "SCE": {"loss": "sce"},
        "SCE + ReMSE, λ = 0.003": {"loss": "sce+remse", "regression_weight": 0.003},
        "SCE + ReMSE, λ = 0.01": {"loss": "sce+remse", "regression_weight": 0.01},
        "SCE + normalised MSE, same size as 0.01": {"loss": "sce+nmse", "regression_weight": 0.052},
        "SCE + Balanced MSE, λ = 0.01": {"loss": "sce+balanced-mse", "regression_weight": 0.01},
        "SCE + ReMSE, λ = 0.03": {"loss": "sce+remse", "regression_weight": 0.03},
    }
    default, stronger = "SCE + ReMSE, λ = 0.01", "SCE + ReMSE, λ = 0.03"
    ways = {"not centred": (False, [name for name in terms if name != stronger]), "centred": (True, ["SCE", default])}
    elsewhere = {"not centred": (False, ["SCE", default, stronger]), "centred": (True, ["SCE", default])}
    fixed = {"branch": "global", "epochs": 15}
    problems = [(("CUB50", "att"), ways), *((problem, elsewhere) for problem in EVERYWHERE if problem[0] != "CUB50")]
    return [
        Task(*problem, f"{name}, {way}", "attention-net", {**fixed, **terms[name], "centre_semantics": centre})
        for problem, compared in problems
        for way, (centre, names) in compared.items()
        for name in names
    ]


def alpha_beta() -> list[Task]:
    """Figure 11 of Ye et al. (2023): the exponents of ReMSE, one varied while the other has its default."""
    exponents = [(alpha, 0.75) for alpha in (0, 0.1, 0.5, 1)] + [(0.1, beta) for beta in (0, 0.25, 1.5)]
    fixed = {"branch": "global", "epochs": 15}
    return [
        Task(
            "CUB50",
            "att",
            f"α = {alpha}, β = {beta}",
            "remse",
            {**fixed, "alpha_over_classes": alpha, "beta_over_attributes": beta},
        )
        for alpha, beta in exponents
    ]


def dense_attention() -> list[Task]:
    """Table 3 of Li & Wang (2019), and each part; "without calibration" are the columns at δ = 0."""
    variants: dict[str, dict[str, Any]] = {
        "full": {},
        "without SR": {"eta": 0},
        "without matching": {"alpha": 0},
        "decoupled": {"coupled": False},
        "uniform attention": {"attention_gain": 0},
        "gain 1": {"attention_gain": 1},
    }
    fixed = {"epochs": 8, "learning_rate": 0.001, "precision": "bfloat16"}  # of 4, 8 and 12 epochs, 8 validate best
    return [
        Task(store, "att", name, "dense-attention-ae", {**switch, **fixed}, ONE_FOLD)
        for store in ("CUB50", "FLO")
        for name, switch in variants.items()
    ]


def gaussians() -> list[Task]:
    """Classes as Gaussians in closed form, on the problems of `spine`."""
    return [Task(*problem, "gfzsl", "gfzsl") for problem in EVERYWHERE]


# Fine-tuning a stage costs far more than a head: fewer images and pixels, one fold, no further fit for δ.
ONE_FOLD = {"folds": 1, "transfer": "raw"}
LENGTH = {"epochs": 8, "batch": 32, "precision": "bfloat16"}
TUNED = {"mode": "tail", "warm_up": 5, "tail_rate": 0.1}
COPIES = {
    **{"modules": 3, "hidden": 128, "epochs": 10, "warm_up": 9},
    **{"tail_rate": 0.1, "batch": 32, "precision": "bfloat16"},
}


def fine_tuning() -> list[Task]:
    """Heads on frozen features, and with the backbone's last stage trained; the length of both is the same.

    The global branch also with all photos at 224 pixels, and on flowers, whose semantics have no words for the others.
    """
    heads: dict[str, tuple[str, dict[str, Any]]] = {
        f"{branch}, {loss}": ("attention-net", {"branch": branch, "loss": LOSSES[loss], **PEAKED})
        for branch, loss in (
            ("global", "SCE"),
            ("global", "SCE + ReMSE"),
            ("attention", "SCE + ReMSE"),
            ("fused", "SCE"),
            ("fused", "SCE + ReMSE"),
        )
    }
    heads |= {"apn": ("apn", {}), "gem": ("gem", {})}
    heads |= {"dense-attention-ae": ("dense-attention-ae", {"learning_rate": 0.001})}
    more = [(store, label) for store in (SMALL_FLO, "CUB50") for label in heads if label.startswith("global")]
    return [
        Task(store, "att", f"{label}, {way}", heads[label][0], {**heads[label][1], **LENGTH, **tuned}, ONE_FOLD)
        for store, label in (*((SMALL, label) for label in heads), *more)
        for way, tuned in {"frozen": {}, "fine-tuned": TUNED}.items()
    ]


def bgsnet() -> list[Task]:
    """BGSNet, its two parts, and without each kind of balance (section 4.3 of Li et al.)."""
    whole: dict[str, tuple[str, dict[str, Any]]] = {
        "GNet": ("gnet", {}),
        "BSNet": ("bsnet", COPIES),
        "BGSNet": ("bgsnet", COPIES),
        "BGSNet without instance-level balance": ("bgsnet", {**COPIES, "instance_weights": False}),
        "BGSNet without dataset-level balance": ("bgsnet", {**COPIES, "gates": False}),
        "BGSNet without annealing": ("bgsnet", {**COPIES, "annealing": False}),
    }
    of = {SMALL: list(whole), SMALL_FLO: ["GNet", "BSNet", "BGSNet"]}
    return [Task(store, "att", label, *whole[label], ONE_FOLD) for store, labels in of.items() for label in labels]


def features() -> list[Task]:
    """Closed forms on the embedding g of `scen`, trained on labels of seen classes, and on what g is made of.

    The store of `derive RUN` is given by `--store`; its run has three seeds and the rule of one fold, as here.
    """
    stores = ("CUB50", "CUB50, g of scen")
    return [Task(store, "att", head, head, {}, ONE_FOLD) for store in stores for head in ("gfzsl", "eszsl")]


SHORT = {"synthetic": 100, "classifier_epochs": 5}  # of generators, as validation on CUB chose


def generative() -> list[Task]:
    """What a GAN adds to Gaussians in closed form; f-clswgan has one pass in an epoch, tf-vaegan two."""
    short = {**SHORT, "precision": "bfloat16"}
    heads: dict[str, dict[str, Any]] = {
        "gfzsl": {},
        "gfzsl-softmax": {"synthetic": 100, "classifier_epochs": 10},
        "f-clswgan": {"epochs": 4, "every": 4, "seen_epochs": 3, **short},
        "tf-vaegan": {"epochs": 2, "every": 2, **short},
    }
    stores = (*EVERYWHERE[:2], EVERYWHERE[3], EVERYWHERE[2])
    return [Task(*where, head, head, settings, {"folds": 1}) for where in stores for head, settings in heads.items()]


def sc_egg() -> list[Task]:
    """Table 2 of Hong et al. on frozen features: what each loss is worth."""
    embedding = {"correspondence_epochs": 2, "precision": "bfloat16"}
    shared = {"embedding_epochs": 6, "embedding_rate": 0.001, **embedding, "epochs": 4, "every": 4, **SHORT}
    ablations: dict[str, dict[str, Any]] = {
        "sc-egg": {},
        "sc-egg, released reading": {"reading": "released"},
        "sc-egg without L_EGS": {"seen_weight": 0, "unseen_weight": 0},
        "sc-egg without L_SCR": {"correspondence_weight": 0},
        "sc-egg without L_GCE": {"global_weight": 0},
        "sc-egg without L_LCE": {"local_weight": 0},
    }
    scen = Task("CUB50", "att", "scen", "scen", {"epochs": 6, "learning_rate": 0.001, **embedding}, ONE_FOLD)
    rows = [Task("CUB50", "att", label, "sc-egg", {**shared, **own}, ONE_FOLD) for label, own in ablations.items()]
    return [scen, *rows]


SUITES = {
    "generative": generative,
    "sc-egg": sc_egg,
    "fine-tuning": fine_tuning,
    "bgsnet": bgsnet,
    "spine": spine,
    "gaussians": gaussians,
    "features": features,
    "remse": remse,
    "attention": attention,
    "regression": regression,
    "alpha-beta": alpha_beta,
    "dense-attention": dense_attention,
}

AGAINST = (  # how the label of a row becomes that of the row it is compared with
    (r" \+ (ReMSE|normalised MSE|Balanced MSE)(, λ = [\d.]+|, same size as [\d.]+)?", ""),
    (r"fine-tuned$", "frozen"),
    (r"^(BGSNet|sc-egg)(, released reading| without .*)$", r"\1"),
    (r"^(without .*|decoupled|uniform attention|gain \d)$", "full"),
    (r"^(fused, .*maps.*|apn|gem)$", "global"),
    (r"^remse, global$", "eszsl"),
    (r"^gfzsl$", "remse, global"),
    (r"^gfzsl$", "eszsl"),
    (r"^(gfzsl-softmax|f-clswgan|tf-vaegan)$", "gfzsl"),
    (r"^sc-egg$", "scen"),
)


def compared_with(label: str, labels: Collection[str]) -> list[str]:
    """The labels of the rows that a row is compared with, of those among `labels`."""
    others = [re.sub(pattern, other, label) for pattern, other in AGAINST]
    return [other for other in dict.fromkeys(others) if other != label and other in labels]
