"""What people wear and carry besides clothes: shoes, hats, bags, umbrellas and what hands hold."""

from harness.pretrain.corpus.sketches import Fill, Line, Oval, Sketch, box

SHOES = {
    "sneaker": Sketch(
        ("sneakers", "trainers", "running shoes", "sports shoes", "tennis shoes"),
        (
            Fill("main", ((-0.9, -0.5), (-0.3, -0.6), (0.2, -0.1), (0.95, 0.2), (0.95, 0.5), (-0.95, 0.5))),
            box("sole", -1.0, 0.42, 1.0, 0.68),
            Line("light", (-0.1, -0.3), (0.3, 0.1), 0.1),
        ),
        tall=0.7,
        plural=True,
    ),
    "leather": Sketch(
        ("leather shoes", "dress shoes", "oxford shoes", "loafers", "shoes"),
        (
            Fill("main", ((-0.9, -0.35), (-0.3, -0.4), (0.2, 0.0), (1.0, 0.3), (1.0, 0.5), (-0.9, 0.5))),
            box("dark", -0.95, 0.46, 1.0, 0.58),
            box("dark", -0.95, 0.5, -0.4, 0.72),
        ),
        tall=0.7,
        plural=True,
    ),
    "boot": Sketch(
        ("boots", "leather boots", "ankle boots", "winter boots", "high boots"),
        (
            box("main", -0.75, -1.0, 0.1, 0.6),
            Fill("main", ((-0.75, 0.1), (0.1, 0.1), (0.9, 0.45), (0.9, 0.75), (-0.75, 0.75))),
            box("dark", -0.8, 0.7, 0.95, 0.9),
            box("shade", -0.75, -1.0, 0.1, -0.8),
        ),
        tall=1.2,
        plural=True,
    ),
    "heel": Sketch(
        ("high heels", "heels", "pumps", "stilettos"),
        (
            Fill("main", ((-0.9, -0.5), (-0.5, -0.5), (0.9, 0.4), (0.95, 0.55), (0.3, 0.55))),
            Line("main", (-0.8, -0.4), (-0.85, 0.6), 0.14),
        ),
        tall=0.8,
        plural=True,
    ),
    "sandal": Sketch(
        ("sandals", "flip flops", "slippers"),
        (
            box("wood", -0.95, 0.3, 0.95, 0.5),
            Line("main", (-0.2, 0.35), (0.2, -0.2), 0.2),
            Line("main", (0.2, -0.2), (0.7, 0.35), 0.2),
            Line("main", (-0.8, 0.3), (-0.5, -0.2), 0.16),
        ),
        tall=0.6,
        plural=True,
    ),
}
HATS = {
    "cap": Sketch(
        ("cap", "baseball cap", "snapback cap", "trucker hat"),
        (Oval("main", -0.15, 0.0, 0.75, 0.8), box("shade", -0.2, 0.1, 1.0, 0.36)),
        tall=0.7,
    ),
    "beanie": Sketch(
        ("beanie", "knit hat", "knitted hat", "wool hat", "winter hat"),
        (
            Oval("main", 0.0, 0.1, 0.8, 0.95),
            box("shade", -0.86, 0.25, 0.86, 0.72),
            Oval("light", 0.0, -0.88, 0.22, 0.2),
        ),
        tall=0.9,
    ),
    "sun_hat": Sketch(
        ("sun hat", "straw hat", "wide brim hat", "floppy hat"),
        (
            Oval("main", 0.0, 0.3, 1.0, 0.3),
            Oval("main", 0.0, -0.1, 0.5, 0.6),
            box("shade", -0.5, 0.0, 0.5, 0.2),
        ),
        tall=0.6,
    ),
    "fedora": Sketch(
        ("fedora", "hat", "cowboy hat"),
        (
            Oval("main", 0.0, 0.4, 1.0, 0.2),
            Fill("main", ((-0.5, -0.7), (0.5, -0.7), (0.6, 0.4), (-0.6, 0.4))),
            box("dark", -0.58, 0.1, 0.58, 0.34),
        ),
        tall=0.7,
    ),
    "helmet": Sketch(
        ("helmet", "bike helmet", "hard hat"),
        (
            Oval("main", 0.0, 0.0, 0.85, 0.8),
            box("main", -0.95, 0.15, 0.95, 0.4),
            Line("light", (0, -0.7), (0, 0.1)),
        ),
        tall=0.7,
    ),
}
BAGS = {
    "backpack": Sketch(
        ("backpack", "rucksack", "school bag", "bookbag", "hiking backpack"),
        (
            Oval("shade", 0.0, -0.85, 0.25, 0.2),
            Oval("main", 0.0, -0.4, 0.75, 0.6),
            box("main", -0.75, -0.4, 0.75, 0.9),
            box("shade", -0.5, 0.2, 0.5, 0.75),
            Line("shade", (-0.5, -0.3), (0.5, -0.3), 0.1),
        ),
        tall=1.2,
    ),
    "handbag": Sketch(
        ("handbag", "purse", "leather bag", "ladies bag"),
        (
            Line("shade", (-0.5, 0.0), (-0.2, -0.9), 0.12),
            Line("shade", (-0.2, -0.9), (0.2, -0.9), 0.12),
            Line("shade", (0.2, -0.9), (0.5, 0.0), 0.12),
            Fill("main", ((-0.75, -0.1), (0.75, -0.1), (0.95, 0.9), (-0.95, 0.9))),
            box("shade", -0.8, 0.2, 0.8, 0.3),
        ),
    ),
    "shoulder_bag": Sketch(
        ("shoulder bag", "crossbody bag", "messenger bag", "sling bag"),
        (
            Line("shade", (-0.8, 0.1), (0.0, -1.0), 0.1),
            Line("shade", (0.0, -1.0), (0.8, 0.1), 0.1),
            box("main", -0.9, 0.0, 0.9, 0.85),
            Fill("shade", ((-0.9, 0.0), (0.9, 0.0), (0.5, 0.45), (-0.5, 0.45))),
        ),
        tall=1.2,
    ),
    "suitcase": Sketch(
        ("suitcase", "luggage", "trolley case", "carry-on suitcase", "travel bag"),
        (
            Line("metal", (-0.3, -0.5), (-0.3, -1.0), 0.1),
            Line("metal", (0.3, -0.5), (0.3, -1.0), 0.1),
            Line("dark", (-0.35, -1.0), (0.35, -1.0), 0.14),
            box("main", -0.7, -0.6, 0.7, 0.85),
            Line("shade", (-0.25, -0.5), (-0.25, 0.8), 0.1),
            Line("shade", (0.25, -0.5), (0.25, 0.8), 0.1),
            Oval("dark", -0.5, 0.92, 0.14, 0.1),
            Oval("dark", 0.5, 0.92, 0.14, 0.1),
        ),
        tall=1.4,
    ),
    "tote": Sketch(
        ("tote bag", "shopping bag", "paper bag", "canvas bag", "carrier bag"),
        (
            Line("shade", (-0.4, -0.3), (0.0, -0.95), 0.1),
            Line("shade", (0.0, -0.95), (0.4, -0.3), 0.1),
            box("main", -0.75, -0.4, 0.75, 0.95),
            Oval("light", 0.0, 0.3, 0.3, 0.25),
        ),
        tall=1.2,
    ),
    "briefcase": Sketch(
        ("briefcase", "laptop bag", "business bag"),
        (
            Line("dark", (-0.3, -0.6), (0.3, -0.6), 0.16),
            box("main", -0.95, -0.45, 0.95, 0.7),
            box("shade", -0.95, 0.05, 0.95, 0.15),
            box("metal", -0.12, 0.0, 0.12, 0.22),
        ),
        tall=0.75,
    ),
}
HELD = {
    "umbrella": Sketch(
        ("umbrella", "open umbrella", "rain umbrella"),
        (
            Line("dark", (0.0, -0.6), (0.0, 0.9), 0.08),
            Oval("main", 0.0, -0.15, 0.98, 0.75),
            Fill("shade", ((0.0, -0.9), (0.3, -0.15), (-0.3, -0.15))),
            Oval("dark", 0.1, 0.9, 0.14, 0.08),
        ),
    ),
    "folded_umbrella": Sketch(
        ("folded umbrella", "closed umbrella", "umbrella"),
        (
            Line("dark", (0.0, -1.0), (0.0, 1.0), 0.14),
            Fill("main", ((-0.35, -0.6), (0.35, -0.6), (0.1, 0.8), (-0.1, 0.8))),
        ),
        tall=2.2,
    ),
    "phone": Sketch(
        ("phone", "mobile phone", "smartphone", "cell phone"),
        (box("dark", -0.5, -0.95, 0.5, 0.95), box("glass", -0.4, -0.7, 0.4, 0.7)),
        tall=1.5,
        coloured=False,
    ),
    "cup": Sketch(
        ("cup", "coffee cup", "cup of coffee", "paper cup", "mug"),
        (
            Fill("light", ((-0.55, -0.6), (0.55, -0.6), (0.4, 0.95), (-0.4, 0.95))),
            box("wood", -0.65, -0.8, 0.65, -0.55),
            box("main", -0.48, -0.1, 0.48, 0.45),
        ),
        tall=1.3,
        coloured=False,
    ),
    "book": Sketch(
        ("book", "open book", "notebook", "hardcover book"),
        (
            box("main", -1.0, -0.7, 1.0, 0.75),
            box("light", -0.9, -0.62, -0.05, 0.62),
            box("light", 0.05, -0.62, 0.9, 0.62),
        ),
        tall=0.7,
    ),
    "glasses": Sketch(
        ("glasses", "eyeglasses", "spectacles", "reading glasses"),
        (
            Oval("main", -0.5, 0.0, 0.45, 0.5),
            Oval("main", 0.5, 0.0, 0.45, 0.5),
            Oval("glass", -0.5, 0.0, 0.32, 0.36),
            Oval("glass", 0.5, 0.0, 0.32, 0.36),
            Line("main", (-0.1, 0.0), (0.1, 0.0), 0.14),
        ),
        tall=0.4,
        plural=True,
    ),
    "sunglasses": Sketch(
        ("sunglasses", "shades", "dark glasses", "aviator sunglasses"),
        (
            Oval("dark", -0.5, 0.0, 0.45, 0.5),
            Oval("dark", 0.5, 0.0, 0.45, 0.5),
            Line("main", (-1.0, -0.3), (1.0, -0.3), 0.16),
        ),
        tall=0.4,
        plural=True,
        coloured=False,
    ),
    "scarf": Sketch(
        ("scarf", "wool scarf", "shawl", "knitted scarf"),
        (
            Oval("main", 0.0, -0.6, 0.8, 0.35),
            Fill("main", ((-0.5, -0.6), (0.0, -0.6), (-0.1, 1.0), (-0.55, 1.0))),
            Fill("shade", ((0.0, -0.6), (0.45, -0.6), (0.6, 0.6), (0.2, 0.6))),
        ),
        tall=1.5,
    ),
    "tie": Sketch(
        ("tie", "necktie", "silk tie"),
        (
            Fill("shade", ((-0.4, -1.0), (0.4, -1.0), (0.2, -0.6), (-0.2, -0.6))),
            Fill("main", ((-0.2, -0.6), (0.2, -0.6), (0.5, 0.6), (0.0, 1.0), (-0.5, 0.6))),
        ),
        tall=2.2,
    ),
    "gloves": Sketch(
        ("gloves", "mittens", "winter gloves"),
        (
            Oval("main", -0.5, -0.1, 0.4, 0.75),
            Oval("main", 0.5, -0.1, 0.4, 0.75),
            Line("main", (-0.1, 0.1), (-0.5, 0.4), 0.3),
            Line("main", (0.1, 0.1), (0.5, 0.4), 0.3),
            box("shade", -0.85, 0.5, -0.15, 0.9),
            box("shade", 0.15, 0.5, 0.85, 0.9),
        ),
        plural=True,
    ),
    "socks": Sketch(
        ("socks", "knee socks", "wool socks"),
        (
            box("main", -0.5, -1.0, 0.1, 0.5),
            Fill("main", ((-0.5, 0.4), (0.1, 0.2), (0.8, 0.6), (0.7, 0.9), (-0.5, 0.9))),
            box("shade", -0.5, -1.0, 0.1, -0.75),
        ),
        tall=1.3,
        plural=True,
    ),
    "watch": Sketch(
        ("watch", "wrist watch", "smartwatch"),
        (box("main", -0.3, -1.0, 0.3, 1.0), Oval("metal", 0, 0, 0.6, 0.45), Oval("light", 0, 0, 0.45, 0.32)),
        tall=1.4,
    ),
}
