"""The figure of many methods' costs: each named once, no name on another, all of it inside."""

from itertools import pairwise

import numpy as np
from matplotlib import pyplot
from pandas import DataFrame

from harness.pages.theme import use_theme
from harness.reporting.cost_fronts import COSTS, draw_costs
from harness.results.panels import protocol_facts, split_panels


def test_twenty_five_methods_have_names_that_do_not_overlap(fake):
    rng = np.random.default_rng(1)
    rows = [fake.row("zero_shot", r1=21, rule="untrained")]
    for place in range(24):
        costs = {"trainable": float(10 ** rng.uniform(3, 7)), "train_seconds": float(rng.uniform(20, 90))}
        rows.append(fake.row(f"method_{place}", r1=float(rng.uniform(48, 52)), **costs))
    use_theme()
    (panel,) = split_panels(DataFrame(rows), protocol_facts)
    figure = draw_costs(panel)
    figure.canvas.draw()
    assert len(figure.axes) == len(COSTS)
    for axes in figure.axes:
        texts = [text for text in axes.texts if text.get_text()]
        assert {text.get_text().rstrip("†") for text in texts} == {row["method"] for row in rows}
        boxes = sorted((text.get_window_extent() for text in texts), key=lambda box: box.y0)
        assert all(one.y1 <= other.y0 + 0.5 for one, other in pairwise(boxes))
        assert max(box.x1 for box in boxes) <= figure.bbox.x1
        inner = [other.get_window_extent() for other in figure.axes if other is not axes]
        assert not any(box.overlaps(other) for box in boxes for other in inner)
    pyplot.close(figure)
