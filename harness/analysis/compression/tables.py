"""Tables of a compression probe, with the published values beside."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.analysis.compression.measures import METHOD_KEYS, chosen_layers, least_important
from harness.pages.tables import DASH, count_text
from harness.reports import Table

Found = Mapping[str, Any]
PARTS = ("SA", "FF", "Whole")
MEASURES = {"C1": "C¹", "C2": "C²"}
TOWERS = ("text", "image")
LOOKS = "the test split: what is chosen from it is chosen on test data"
NOT_TRAINED = f"{DASH}: not trained, so C² is 0 by definition."
_NO_CORRELATION = f"{DASH}: all values equal, or towers of different depth."


def order_table(found: Found) -> Table:
    """Tabulate the text layers from the least important on, by C¹ + C² of the whole layer."""
    from pandas import DataFrame

    whole = _whole(found["modules"])
    rows = [
        {"place": place, "layer": layer, **whole[layer], "sum": sum(whole[layer].values())}
        for place, layer in enumerate(_order(found["modules"]), start=1)
    ]
    cells = [
        {
            "place": str(row["place"]),
            "layer": str(row["layer"]),
            "C¹ Whole": f"{row['C1']:.2f}",
            "C² Whole": f"{row['C2']:.2f}",
            "sum": f"{row['sum']:.2f}",
        }
        for row in rows
    ]
    note = "On a tie the layer nearer the input comes first."
    title = "Text layers, the least important first"
    return Table("compression-order", title, DataFrame(rows), DataFrame(cells), (note,))


def choice_table(found: Found, paper: Found) -> Table:
    """Tabulate which x text layers to freeze or leave out first, with the settings that do it."""
    from pandas import DataFrame

    theirs = dict(chosen_layers(_order(paper["modules"])))
    rows = [
        {
            "x": x,
            "layers": _listed(layers),
            "published": _listed(theirs.get(x, [])),
            "parameters": x * found["text_layer_parameters"],
        }
        | {key: f"--set '{key}={_listed(layers, '[')}'" for key in METHOD_KEYS}
        for x, layers in chosen_layers(found["least_important"])
    ]
    names = {key: key.rpartition(".")[2].replace("_", " ") for key in METHOD_KEYS}
    columns = ["x", "layers", "published", "parameters", *METHOD_KEYS]
    values = DataFrame(rows, columns=columns)
    cells = values.assign(parameters=values["parameters"].map(count_text)).astype(str)
    said = (
        "Settings for a new run of a method that has them, such as TBPS-CLIP; layers count from 1, the one nearest the "
        "input, among those that this run has. Parameters: those of the x layers, frozen or saved.",
        "In the paper freezing such layers costs little and dropping them much: 73.5 without either, 72.2 with five "
        "frozen, 52.6 with five dropped (R@1 on CUHK-PEDES, read from a plot).",
        "The paper: {paper}, {table}, {link}.".format(**paper["source"]),
        paper["note"],
    )
    return Table(
        "compression-choice",
        "Which to take first",
        values,
        cells.rename(columns={"published": "in TBPS-CLIP", **names}),
        said,
        n_left=len(columns),
    )


def agreement_table(found: Found, paper: Found) -> Table:
    """Tabulate how well the two measures agree on the order of a tower's modules, and the run with the paper."""
    from pandas import DataFrame

    rows = [_agreement(found["modules"], paper["modules"], tower) for tower in TOWERS]
    cells = [
        {name: value if isinstance(value, str) else number_text(value) for name, value in row.items()}
        for row in rows
    ]
    said = ("Spearman's correlation over a tower's modules: 1 is the same order, 0 none.", _NO_CORRELATION)
    return Table("compression-agreement", "Do the measures agree?", DataFrame(rows), DataFrame(cells), said)


def module_value(row: Found, name: str) -> float:
    """Return a module's value; no number for C² of what was not trained."""
    return float("nan") if name == "C2" and not row.get("trained", True) else float(row[name])


def _whole(modules: Sequence[Found]) -> dict[int, dict[str, float]]:
    """Return both measures of each whole text layer."""
    return {
        row["layer"]: {name: row[name] for name in MEASURES}
        for row in modules
        if (row["tower"], row["part"]) == ("text", "Whole")
    }


def _order(modules: Sequence[Found]) -> list[int]:
    whole = _whole(modules)
    c1, c2 = ({layer: values[name] for layer, values in whole.items()} for name in MEASURES)
    return least_important(c1, c2, len(whole))


def _agreement(ours: Sequence[Found], theirs: Sequence[Found], tower: str) -> dict[str, Any]:
    own, other = (
        {name: [row[name] for row in modules if row["tower"] == tower] for name in MEASURES}
        for modules in (ours, theirs)
    )
    return {
        "tower": tower,
        "C¹ and C²": _correlation(own["C1"], own["C2"]),
        "C¹ and C² in the paper": _correlation(other["C1"], other["C2"]),
        "C¹ here and in the paper": _correlation(own["C1"], other["C1"]),
        "C² here and in the paper": _correlation(own["C2"], other["C2"]),
    }


def _correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Return Spearman's correlation of two lists; no number where lengths differ or a list is constant."""
    from scipy.stats import spearmanr

    if len(one) != len(other) or len(set(one)) == 1 or len(set(other)) == 1:
        return float("nan")
    return float(spearmanr(one, other).statistic)


def number_text(value: float) -> str:
    """Return a value with two digits; a dash where there is none."""
    return DASH if value != value else f"{value:.2f}"


def _listed(layers: Sequence[int], bracket: str = "") -> str:
    text = ("," if bracket else ", ").join(str(layer) for layer in layers)
    return f"[{text}]" if bracket else text or DASH
