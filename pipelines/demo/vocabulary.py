"""What can be seen in the demonstration corpus: kinds of scene, activity and object.

Every video draws from the same vocabulary, so that what a model learns in one video helps it in the next.
"""

from dataclasses import dataclass

Colour = tuple[int, int, int]
"""Red, green and blue in 0..255."""


@dataclass(frozen=True)
class ObjectKind:
    """A thing on the work surface that can be moved.

    Attributes:
        shape: name of an outline in `pipelines.demo.sprites`.
        material: name of a material in `pipelines.demo.textures`.
        colours: main and second colour.
        size: half its extent as a share of the frame's height.
    """

    shape: str
    material: str
    colours: tuple[Colour, Colour]
    size: float


@dataclass(frozen=True)
class Cover:
    """What lies under the objects of an activity (a board, a pan, a sheet).

    Attributes:
        round: an ellipse if true, else a rectangle.
        material: name of a material in `pipelines.demo.textures`.
        colours: main and second colour.
    """

    round: bool
    material: str
    colours: tuple[Colour, Colour]


@dataclass(frozen=True)
class ActivityKind:
    """A recurring activity.

    Attributes:
        name: label in the truth.
        cover: what lies under its objects.
        motions: pairs (motion, object that is moved), both by name; consecutive motions differ.
    """

    name: str
    cover: Cover
    motions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class SceneKind:
    """A recurring place.

    Attributes:
        name: label in the truth.
        wall: material and two colours of what is behind.
        surface: material and two colours of what the work is done on.
        light: colour of its light as gains of red, green and blue.
        activities: what is done there.
    """

    name: str
    wall: tuple[str, Colour, Colour]
    surface: tuple[str, Colour, Colour]
    light: tuple[float, float, float]
    activities: tuple[ActivityKind, ...]


OBJECTS = {
    "knife": ObjectKind("knife", "metal", ((206, 210, 216), (120, 124, 136)), 0.21),
    "spoon": ObjectKind("spoon", "wood", ((196, 150, 92), (142, 96, 50)), 0.18),
    "bowl": ObjectKind("ring", "stone", ((236, 232, 222), (70, 110, 170)), 0.16),
    "pan lid": ObjectKind("disc", "metal", ((150, 154, 160), (90, 92, 98)), 0.16),
    "tomato": ObjectKind("blob", "plaster", ((206, 48, 34), (244, 110, 70)), 0.10),
    "bottle": ObjectKind("bottle", "plaster", ((34, 120, 70), (140, 206, 150)), 0.18),
    "cup": ObjectKind("disc", "checker", ((240, 240, 236), (38, 72, 150)), 0.10),
    "sponge": ObjectKind("box", "soil", ((240, 206, 60), (200, 150, 30)), 0.11),
    "pen": ObjectKind("bar", "plaster", ((28, 40, 110), (190, 190, 200)), 0.17),
    "book": ObjectKind("box", "fabric", ((150, 36, 48), (226, 190, 110)), 0.19),
    "stapler": ObjectKind("box", "metal", ((60, 66, 76), (130, 136, 150)), 0.13),
    "phone": ObjectKind("box", "stone", ((28, 30, 38), (70, 120, 200)), 0.12),
    "hammer": ObjectKind("hammer", "wood", ((176, 120, 66), (90, 92, 96)), 0.20),
    "gear": ObjectKind("gear", "metal", ((170, 164, 150), (96, 86, 70)), 0.16),
    "wrench": ObjectKind("spoon", "metal", ((186, 190, 198), (110, 114, 124)), 0.19),
    "sander": ObjectKind("box", "checker", ((226, 110, 26), (40, 40, 44)), 0.13),
    "oil can": ObjectKind("bottle", "metal", ((190, 46, 36), (240, 200, 60)), 0.17),
    "trowel": ObjectKind("blade", "wood", ((150, 156, 150), (130, 80, 40)), 0.18),
    "pot": ObjectKind("ring", "brick", ((190, 98, 62), (140, 66, 40)), 0.17),
    "seedling": ObjectKind("gear", "foliage", ((60, 150, 50), (24, 84, 30)), 0.13),
    "watering can": ObjectKind("bottle", "plaster", ((70, 130, 190), (170, 210, 236)), 0.19),
    "brush": ObjectKind("hammer", "fabric", ((230, 220, 196), (150, 60, 110)), 0.17),
    "towel": ObjectKind("box", "fabric", ((230, 120, 140), (250, 220, 220)), 0.19),
    "soap": ObjectKind("blob", "stone", ((220, 236, 210), (150, 200, 160)), 0.09),
    "scissors": ObjectKind("spoon", "metal", ((210, 60, 60), (190, 194, 200)), 0.17),
    "yarn": ObjectKind("blob", "fabric", ((120, 60, 160), (200, 150, 226)), 0.12),
    "iron": ObjectKind("blade", "plaster", ((236, 238, 244), (60, 120, 180)), 0.19),
    "button box": ObjectKind("ring", "checker", ((244, 196, 60), (180, 60, 90)), 0.13),
}


def _kitchen() -> SceneKind:
    return SceneKind(
        "kitchen",
        ("tile", (222, 214, 196), (120, 160, 170)),
        ("wood", (188, 138, 84), (120, 76, 40)),
        (1.06, 1.0, 0.90),
        (
            ActivityKind(
                "cut vegetables",
                Cover(False, "wood", ((232, 196, 140), (200, 156, 100))),
                (("chop", "knife"), ("slide", "tomato"), ("reach", "bowl"), ("rotate", "bowl")),
            ),
            ActivityKind(
                "cook soup",
                Cover(True, "metal", ((66, 68, 74), (30, 30, 34))),
                (("stir", "spoon"), ("pour", "bottle"), ("swing", "pan lid"), ("shake", "cup")),
            ),
            ActivityKind(
                "wash up",
                Cover(False, "metal", ((176, 186, 196), (120, 134, 150))),
                (("wipe", "sponge"), ("rotate", "pan lid"), ("slide", "cup"), ("shake", "bowl")),
            ),
        ),
    )


def _desk() -> SceneKind:
    return SceneKind(
        "desk",
        ("plaster", (96, 120, 150), (150, 170, 190)),
        ("wood", (96, 62, 42), (52, 32, 24)),
        (0.96, 0.99, 1.08),
        (
            ActivityKind(
                "write a letter",
                Cover(False, "paper", ((246, 244, 236), (120, 140, 190))),
                (("wipe", "pen"), ("stir", "pen"), ("slide", "phone"), ("reach", "cup")),
            ),
            ActivityKind(
                "sort papers",
                Cover(False, "checker", ((236, 226, 180), (226, 170, 90))),
                (("chop", "stapler"), ("slide", "book"), ("rotate", "book"), ("reach", "phone")),
            ),
        ),
    )


def _garage() -> SceneKind:
    return SceneKind(
        "garage",
        ("brick", (150, 84, 66), (186, 180, 170)),
        ("metal", (120, 126, 132), (70, 74, 80)),
        (0.92, 1.0, 0.98),
        (
            ActivityKind(
                "repair a gearbox",
                Cover(True, "soil", ((60, 50, 42), (30, 26, 24))),
                (("rotate", "gear"), ("stir", "wrench"), ("pour", "oil can"), ("chop", "hammer")),
            ),
            ActivityKind(
                "sand a board",
                Cover(False, "wood", ((226, 190, 132), (180, 130, 80))),
                (("wipe", "sander"), ("chop", "hammer"), ("slide", "wrench"), ("swing", "sander")),
            ),
            ActivityKind(
                "oil the tools",
                Cover(False, "fabric", ((150, 50, 50), (90, 30, 36))),
                (("pour", "oil can"), ("shake", "oil can"), ("slide", "hammer"), ("rotate", "wrench")),
            ),
        ),
    )


def _garden() -> SceneKind:
    return SceneKind(
        "garden",
        ("foliage", (70, 130, 50), (24, 66, 30)),
        ("soil", (112, 84, 58), (62, 46, 34)),
        (1.04, 1.06, 0.92),
        (
            ActivityKind(
                "plant seedlings",
                Cover(False, "soil", ((60, 42, 30), (28, 20, 16))),
                (("chop", "trowel"), ("slide", "seedling"), ("stir", "trowel"), ("reach", "pot")),
            ),
            ActivityKind(
                "water the pots",
                Cover(True, "stone", ((180, 180, 170), (120, 126, 120))),
                (("pour", "watering can"), ("rotate", "pot"), ("swing", "watering can"), ("slide", "pot")),
            ),
        ),
    )


def _bathroom() -> SceneKind:
    return SceneKind(
        "bathroom",
        ("tile", (150, 200, 206), (236, 244, 244)),
        ("stone", (226, 226, 224), (130, 136, 146)),
        (0.98, 1.02, 1.06),
        (
            ActivityKind(
                "clean the basin",
                Cover(True, "plaster", ((244, 246, 248), (190, 206, 214))),
                (("wipe", "sponge"), ("stir", "brush"), ("reach", "soap"), ("pour", "bottle")),
            ),
            ActivityKind(
                "fold towels",
                Cover(False, "fabric", ((90, 130, 190), (220, 230, 244))),
                (("slide", "towel"), ("swing", "towel"), ("rotate", "towel"), ("shake", "brush")),
            ),
        ),
    )


def _sewing_room() -> SceneKind:
    return SceneKind(
        "sewing room",
        ("fabric", (206, 190, 150), (150, 80, 90)),
        ("checker", (226, 220, 206), (170, 186, 170)),
        (1.10, 0.99, 0.86),
        (
            ActivityKind(
                "cut cloth",
                Cover(False, "fabric", ((60, 140, 130), (24, 80, 90))),
                (("chop", "scissors"), ("slide", "scissors"), ("rotate", "button box"), ("reach", "yarn")),
            ),
            ActivityKind(
                "iron a shirt",
                Cover(False, "fabric", ((236, 236, 240), (170, 190, 226))),
                (("wipe", "iron"), ("swing", "iron"), ("shake", "bottle"), ("reach", "button box")),
            ),
            ActivityKind(
                "wind wool",
                Cover(True, "wood", ((160, 100, 60), (100, 60, 34))),
                (("stir", "yarn"), ("rotate", "yarn"), ("slide", "button box"), ("swing", "scissors")),
            ),
        ),
    )


def scene_kinds() -> tuple[SceneKind, ...]:
    """All kinds of scene, each with its activities."""
    return (_kitchen(), _desk(), _garage(), _garden(), _bathroom(), _sewing_room())
