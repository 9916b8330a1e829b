"""Small suites as values and as files."""

from harness.suites.schema import Suite

SMALL = {"name": "small", "datasets": ["icfg", "cuhk"], "rows": [{"method": "linear_probe"}]}


def suite(rows=None, **changes):
    values = SMALL | changes
    return Suite.model_validate(values | {"rows": rows} if rows else values)


def names(expansion):
    return [cell.name for cell in expansion.cells]


def written(folder, text, name="mine.yaml"):
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return str(file)
