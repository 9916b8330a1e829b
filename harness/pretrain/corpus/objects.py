"""Things that are not worn: vehicles, furniture, animals, signs, plants, things of the house."""

from harness.pretrain.corpus.sketches import Fill, Line, Oval, Sketch, box

VEHICLES = {
    "car": Sketch(
        ("car", "sedan", "hatchback car", "automobile"),
        (
            Fill("main", ((-0.55, -0.7), (0.35, -0.7), (0.7, 0.0), (-0.75, 0.0))),
            Fill("glass", ((-0.45, -0.58), (0.28, -0.58), (0.5, -0.05), (-0.58, -0.05))),
            box("main", -1.0, -0.05, 1.0, 0.5),
            Oval("dark", -0.55, 0.5, 0.24, 0.34),
            Oval("dark", 0.55, 0.5, 0.24, 0.34),
        ),
        tall=0.55,
    ),
    "bus": Sketch(
        ("bus", "city bus", "coach", "double-decker bus"),
        (
            box("main", -1.0, -0.9, 1.0, 0.7),
            box("glass", -0.9, -0.65, 0.9, -0.1),
            Oval("dark", -0.6, 0.7, 0.18, 0.25),
            Oval("dark", 0.6, 0.7, 0.18, 0.25),
        ),
        tall=0.65,
    ),
    "truck": Sketch(
        ("truck", "lorry", "delivery truck", "pickup truck"),
        (
            box("light", -1.0, -0.9, 0.35, 0.5),
            box("main", 0.4, -0.4, 1.0, 0.5),
            box("glass", 0.6, -0.3, 0.95, 0.05),
            Oval("dark", -0.6, 0.6, 0.2, 0.28),
            Oval("dark", 0.65, 0.6, 0.2, 0.28),
        ),
        tall=0.65,
    ),
    "bicycle": Sketch(
        ("bicycle", "bike", "mountain bike", "city bike"),
        (
            Oval("dark", -0.55, 0.3, 0.42, 0.62),
            Oval("ground", -0.55, 0.3, 0.32, 0.5),
            Oval("dark", 0.55, 0.3, 0.42, 0.62),
            Oval("ground", 0.55, 0.3, 0.32, 0.5),
            Line("main", (-0.55, 0.3), (0.0, 0.3), 0.1),
            Line("main", (0.0, 0.3), (0.4, -0.4), 0.1),
            Line("main", (-0.55, 0.3), (-0.2, -0.4), 0.1),
            Line("main", (-0.2, -0.4), (0.4, -0.4), 0.1),
            Line("main", (0.55, 0.3), (0.35, -0.7), 0.1),
        ),
        tall=0.65,
    ),
    "boat": Sketch(
        ("boat", "sailboat", "yacht", "sailing boat"),
        (
            Line("wood", (0.0, -1.0), (0.0, 0.4), 0.08),
            Fill("light", ((0.08, -0.95), (0.75, 0.3), (0.08, 0.3))),
            Fill("light", ((-0.08, -0.7), (-0.08, 0.3), (-0.6, 0.3))),
            Fill("main", ((-0.95, 0.4), (0.95, 0.4), (0.6, 0.9), (-0.6, 0.9))),
        ),
    ),
    "train": Sketch(
        ("train", "tram", "subway train", "locomotive"),
        (
            Fill("main", ((-1.0, -0.7), (0.7, -0.7), (1.0, 0.0), (1.0, 0.6), (-1.0, 0.6))),
            box("glass", -0.9, -0.5, 0.6, -0.05),
            Line("metal", (-1.0, 0.8), (1.0, 0.8), 0.1),
        ),
        tall=0.5,
    ),
}
FURNITURE = {
    "chair": Sketch(
        ("chair", "wooden chair", "dining chair", "office chair"),
        (
            box("main", -0.55, -1.0, -0.3, 0.1),
            box("main", -0.55, 0.0, 0.6, 0.2),
            Line("wood", (-0.5, 0.2), (-0.5, 1.0), 0.14),
            Line("wood", (0.5, 0.2), (0.5, 1.0), 0.14),
        ),
        tall=1.4,
    ),
    "table": Sketch(
        ("table", "coffee table", "desk", "dining table"),
        (
            box("main", -1.0, -0.4, 1.0, -0.15),
            Line("main", (-0.8, -0.2), (-0.8, 0.8), 0.14),
            Line("main", (0.8, -0.2), (0.8, 0.8), 0.14),
        ),
        tall=0.7,
    ),
    "sofa": Sketch(
        ("sofa", "couch", "loveseat"),
        (
            box("main", -0.85, -0.7, 0.85, 0.3),
            box("shade", -1.0, -0.2, -0.7, 0.6),
            box("shade", 0.7, -0.2, 1.0, 0.6),
            box("main", -0.75, 0.1, 0.75, 0.55),
            Line("shade", (0.0, -0.6), (0.0, 0.5), 0.06),
        ),
        tall=0.6,
    ),
    "lamp": Sketch(
        ("lamp", "floor lamp", "table lamp"),
        (
            Line("metal", (0.0, -0.5), (0.0, 0.9), 0.12),
            Fill("main", ((-0.35, -1.0), (0.35, -1.0), (0.7, -0.3), (-0.7, -0.3))),
            Oval("metal", 0.0, 0.92, 0.5, 0.1),
        ),
        tall=2.0,
    ),
    "bed": Sketch(
        ("bed", "double bed", "king size bed"),
        (
            box("wood", -1.0, -0.6, -0.8, 0.7),
            box("main", -0.9, 0.0, 1.0, 0.5),
            box("light", -0.8, -0.2, -0.3, 0.1),
            Line("wood", (0.95, 0.3), (0.95, 0.75), 0.1),
        ),
        tall=0.6,
    ),
}
ANIMALS = {
    "cat": Sketch(
        ("cat", "kitten", "tabby cat"),
        (
            Line("main", (0.6, 0.7), (0.9, -0.2), 0.16),
            Oval("main", 0.1, 0.45, 0.6, 0.55),
            Oval("main", -0.25, -0.4, 0.45, 0.4),
            Fill("main", ((-0.65, -0.5), (-0.55, -1.0), (-0.3, -0.7))),
            Fill("main", ((-0.2, -0.7), (0.05, -1.0), (0.15, -0.5))),
            Oval("green", -0.4, -0.4, 0.08, 0.08),
            Oval("green", -0.1, -0.4, 0.08, 0.08),
        ),
    ),
    "dog": Sketch(
        ("dog", "puppy", "labrador"),
        (
            box("main", -0.6, -0.2, 0.6, 0.35),
            Line("main", (-0.5, 0.2), (-0.5, 0.95), 0.18),
            Line("main", (0.5, 0.2), (0.5, 0.95), 0.18),
            Oval("main", 0.7, -0.45, 0.3, 0.3),
            Fill("shade", ((0.5, -0.7), (0.65, -0.7), (0.5, -0.1))),
            Line("main", (-0.6, -0.1), (-0.95, -0.6), 0.12),
            Oval("dark", 0.95, -0.42, 0.08, 0.08),
        ),
        tall=0.9,
    ),
    "bird": Sketch(
        ("bird", "parrot", "songbird"),
        (
            Oval("main", 0.0, 0.1, 0.6, 0.5),
            Oval("main", 0.45, -0.45, 0.3, 0.3),
            Fill("yellow", ((0.7, -0.5), (1.0, -0.4), (0.7, -0.3))),
            Fill("shade", ((-0.3, 0.0), (0.2, 0.0), (-0.7, 0.4))),
            Line("dark", (0.0, 0.5), (0.0, 0.95), 0.08),
        ),
    ),
    "fish": Sketch(
        ("fish", "goldfish", "tropical fish"),
        (
            Oval("main", 0.1, 0.0, 0.7, 0.45),
            Fill("main", ((-0.45, 0.0), (-1.0, -0.5), (-1.0, 0.5))),
            Oval("light", 0.45, -0.1, 0.12, 0.12),
            Oval("dark", 0.48, -0.1, 0.05, 0.05),
        ),
        tall=0.7,
    ),
    "horse": Sketch(
        ("horse", "pony", "stallion"),
        (
            Oval("main", -0.1, 0.0, 0.6, 0.35),
            Fill("main", ((0.2, 0.0), (0.6, -0.9), (0.8, -0.8), (0.5, 0.2))),
            Fill("main", ((0.55, -0.95), (0.8, -0.9), (1.0, -0.5), (0.8, -0.45))),
            Line("main", (-0.5, 0.2), (-0.55, 1.0), 0.14),
            Line("main", (0.3, 0.2), (0.35, 1.0), 0.14),
            Line("shade", (-0.7, -0.1), (-0.9, 0.5), 0.14),
        ),
    ),
}
SIGNS = {
    "stop": Sketch(
        ("stop sign", "road sign", "traffic sign"),
        (
            Line("metal", (0.0, 0.0), (0.0, 1.0), 0.12),
            Fill(
                "red",
                (
                    (-0.25, -1.0),
                    (0.25, -1.0),
                    (0.6, -0.65),
                    (0.6, -0.15),
                    (0.25, 0.2),
                    (-0.25, 0.2),
                    (-0.6, -0.15),
                    (-0.6, -0.65),
                ),
            ),
            box("light", -0.4, -0.52, 0.4, -0.28),
        ),
        tall=1.5,
        coloured=False,
    ),
    "warning": Sketch(
        ("warning sign", "caution sign", "danger sign"),
        (
            Fill("yellow", ((0.0, -0.9), (0.95, 0.8), (-0.95, 0.8))),
            Line("dark", (0.0, -0.3), (0.0, 0.3), 0.16),
            Oval("dark", 0.0, 0.55, 0.1, 0.1),
        ),
        coloured=False,
    ),
    "lights": Sketch(
        ("traffic light", "traffic lights", "stop light"),
        (
            box("dark", -0.4, -1.0, 0.4, 0.6),
            Oval("red", 0.0, -0.7, 0.24, 0.2),
            Oval("yellow", 0.0, -0.2, 0.24, 0.2),
            Oval("green", 0.0, 0.3, 0.24, 0.2),
            Line("metal", (0.0, 0.6), (0.0, 1.0), 0.14),
        ),
        tall=2.0,
        coloured=False,
    ),
    "arrow": Sketch(
        ("arrow sign", "direction sign", "one way sign"),
        (
            box("main", -1.0, -0.5, 1.0, 0.5),
            Line("light", (-0.7, 0.0), (0.3, 0.0), 0.2),
            Fill("light", ((0.25, -0.35), (0.75, 0.0), (0.25, 0.35))),
        ),
        tall=0.6,
    ),
}
HOUSEHOLD = {
    "house": Sketch(
        ("house", "cottage", "home"),
        (
            box("main", -0.75, -0.1, 0.75, 0.9),
            Fill("shade", ((-0.95, -0.1), (0.0, -0.95), (0.95, -0.1))),
            box("wood", -0.15, 0.3, 0.2, 0.9),
            box("glass", -0.6, 0.15, -0.3, 0.45),
        ),
    ),
    "tree": Sketch(
        ("tree", "oak tree", "green tree"),
        (box("wood", -0.12, 0.2, 0.12, 1.0), Oval("leaf", 0.0, -0.3, 0.75, 0.65)),
        tall=1.4,
        coloured=False,
    ),
    "flower": Sketch(
        ("flower", "tulip", "blossom"),
        (
            Line("leaf", (0.0, 0.0), (0.0, 1.0), 0.1),
            Oval("main", -0.35, -0.4, 0.3, 0.3),
            Oval("main", 0.35, -0.4, 0.3, 0.3),
            Oval("main", 0.0, -0.7, 0.3, 0.3),
            Oval("main", 0.0, -0.1, 0.3, 0.3),
            Oval("yellow", 0.0, -0.4, 0.22, 0.22),
        ),
        tall=1.4,
    ),
    "ball": Sketch(
        ("ball", "beach ball", "toy ball"),
        (Oval("main", 0.0, 0.0, 0.9, 0.9), Oval("light", -0.3, -0.35, 0.2, 0.2)),
    ),
    "clock": Sketch(
        ("clock", "wall clock", "alarm clock"),
        (
            Oval("main", 0.0, 0.0, 0.95, 0.95),
            Oval("light", 0.0, 0.0, 0.75, 0.75),
            Line("dark", (0.0, 0.0), (0.0, -0.6), 0.1),
            Line("dark", (0.0, 0.0), (0.4, 0.1), 0.1),
        ),
    ),
    "bottle": Sketch(
        ("bottle", "water bottle", "wine bottle"),
        (
            box("main", -0.35, -0.3, 0.35, 1.0),
            box("main", -0.14, -0.9, 0.14, -0.2),
            box("light", -0.35, 0.1, 0.35, 0.6),
        ),
        tall=2.2,
    ),
}
