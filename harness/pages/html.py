"""Print a notebook as one HTML file that runs nothing and fetches nothing."""

from html import escape
from pathlib import Path
from typing import Any

from harness.files import write_text

_BODY = """{%- extends 'basic/index.html.j2' -%}
{%- block input_group -%}
<details class="code"><summary>code</summary>{{ super() }}</details>
{%- endblock input_group -%}
{%- block in_prompt -%}{%- endblock in_prompt -%}
"""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body><main>
{body}
</main></body>
</html>
"""
STYLE = """
:root { color-scheme: light; }
body { margin: 0; background: #fff; color: #262626; font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; }
main { max-width: 86rem; margin: 0 auto; padding: 2rem 1.5rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 .4rem; } h2 { font-size: 1.25rem; margin: 2.4rem 0 .4rem; }
h3 { font-size: 1.05rem; margin: 2rem 0 .3rem; }
p { margin: .4rem 0; max-width: 52rem; }
a.anchor-link { display: none; }
img { max-width: 100%; height: auto; }
code, pre { font: 12.5px/1.45 "DejaVu Sans Mono", ui-monospace, monospace; }
details.code { margin: .6rem 0; color: #5f5f5f; }
details.code summary { cursor: pointer; font-size: .8rem; }
details.code pre { background: #f6f6f6; padding: .6rem .8rem; border-radius: 4px; overflow-x: auto; color: #262626; }
.table { overflow-x: auto; margin: .8rem 0; }
.table .title { font-weight: 600; max-width: none; }
table { border-collapse: collapse; font-size: .8rem; font-variant-numeric: tabular-nums; }
table.report { border-top: 2px solid #262626; border-bottom: 2px solid #262626; }
th, td { padding: .28rem .5rem; text-align: right; }
td { white-space: nowrap; }
td:first-child { white-space: normal; }
th { vertical-align: bottom; }
thead th { border-bottom: 1px solid #262626; font-weight: 600; }
.note { font-size: .8rem; color: #5f5f5f; }
.panel { border-left: 4px solid #0072B2; padding: .1rem 1rem; margin: 2.2rem 0 .8rem; background: #f4f8fb; }
.panel h3 { margin: .5rem 0; }
@media print { details.code { display: none; } main { max-width: none; padding: 0; } }
"""


def write_page(notebook: Any, path: Path, title: str = "") -> None:
    """Write a notebook as one HTML file: figures inside, code folded, no script and nothing to fetch.

    Its title is the notebook's own where none is given.
    """
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter

    loaders = [DictLoader({"report.html.j2": _BODY})]
    exporter = HTMLExporter(template_file="report.html.j2", extra_loaders=loaders, exclude_output_prompt=True)
    body, _ = exporter.from_notebook_node(notebook)
    shown = escape(title or notebook["metadata"]["title"])
    write_text(path, PAGE.format(title=shown, style=STYLE, body=body))
