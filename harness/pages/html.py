"""Print a notebook as one HTML file that runs nothing and fetches nothing."""

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from harness.files import write_text

ABOUT, VERDICT = "about", "verdict"
_MADE = "<!--made-->"
# What a cell shows beside tables and figures of the house, as a data frame, is for those who read its code.
_BODY = """{%- extends 'basic/index.html.j2' -%}
{%- block input_group -%}<div class="code">{{ super() }}</div>{%- endblock input_group -%}
{%- block output -%}
{%- if output is shown -%}{{ super() }}{%- else -%}<div class="code">{{ super() }}</div>{%- endif -%}
{%- endblock output -%}
{%- block markdowncell -%}
{{ super() }}{%- if 'about' in cell.metadata.get('tags', []) -%}<!--made-->{%- endif -%}
{%- endblock markdowncell -%}
{%- block in_prompt -%}{%- endblock in_prompt -%}
"""
_HEADING = re.compile(r'<(h[23]) id="([^"]*)">(.*?)<a class="anchor-link".*?</a></h[23]>', re.DOTALL)
_TOGGLE = '<label class="toggle"><input type="checkbox" id="show-code"> Show the notebook’s code and raw data</label>'
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
h1, h2, h3, p, li { overflow-wrap: anywhere; }
.celltag_verdict p { font-size: 1.15rem; max-width: 60rem; border-left: 4px solid #0072B2; padding-left: .8rem; }
.celltag_about { color: #5f5f5f; font-size: .9rem; margin-top: 1.6rem; }
.opening { color: #5f5f5f; font-size: .9rem; }
.opening ul { columns: 16rem; column-gap: 2.4rem; padding-left: 1.2rem; margin: .5rem 0; }
.opening .inner { font-size: .85rem; margin-left: .5rem; }
.opening li { break-inside: avoid; }
.opening a { color: #00588a; }
.toggle { display: inline-block; margin: .4rem 0; cursor: pointer; }
.code { display: none; margin: .6rem 0; }
main:has(#show-code:checked) .code { display: block; }
.code pre, .code .output { background: #f6f6f6; padding: .6rem .8rem; border-radius: 4px; color: #262626; }
.code, pre { max-width: 100%; overflow-x: auto; }
.table { margin: .8rem 0; }
.scroll { overflow-x: auto; max-width: 100%; }
.table .title { font-weight: 600; max-width: none; }
table { border-collapse: collapse; font-size: .8rem; font-variant-numeric: tabular-nums; }
table.report { border-top: 2px solid #262626; border-bottom: 2px solid #262626; }
th, td { padding: .28rem .5rem; text-align: right; }
td { white-space: nowrap; }
td:first-child { white-space: normal; min-width: 9rem; }
td.long, td.long:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 14rem; max-width: 44rem; }
th { vertical-align: bottom; }
thead th { border-bottom: 1px solid #262626; font-weight: 600; }
.note { font-size: .8rem; color: #5f5f5f; }
.panel { border-left: 4px solid #0072B2; padding: .1rem 1rem; margin: 2.2rem 0 .8rem; background: #f4f8fb; }
.panel h3 { margin: .5rem 0; }
.output_png { overflow-x: auto; }
@media (max-width: 1100px) { th, td { padding: .28rem .36rem; } td:first-child { min-width: 6rem; } }
@media (max-width: 700px) { .output_png img { max-width: none; width: 44rem; } main { padding: 1rem .8rem 3rem; } }
@media print {
  .toggle, nav { display: none; }
  body { font-size: 10pt; } main { max-width: none; padding: 0; }
  .scroll, .output_png { overflow: visible; } td { white-space: normal; }
  tr, img, .panel { break-inside: avoid; } h1, h2, h3, .table .title { break-after: avoid; }
  thead { display: table-header-group; } .text_cell { break-after: avoid; }
}
"""


def write_page(notebook: Any, path: Path, title: str = "", made: str = "") -> None:
    """Write a notebook as one HTML file: figures inside, code hidden by one switch, no script and nothing to fetch.

    Its title is the notebook's own where none is given.

    Below the cell that is tagged `about`, or else at the end, are the list of contents and the switch; `made` says
    there when and by what version the page was made.
    """
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter

    loaders = [DictLoader({"report.html.j2": _BODY})]
    exporter = HTMLExporter(template_file="report.html.j2", extra_loaders=loaders, exclude_output_prompt=True)
    exporter.environment.tests["shown"] = _is_shown
    body, _ = exporter.from_notebook_node(notebook)
    body = _each_heading_once(body)
    has_code = any(cell["cell_type"] == "code" for cell in notebook["cells"])
    opening = _opening(body, made, has_code)
    before, marker, after = body.partition(_MADE)
    body = f"{before}{opening}{after}" if marker else f"{before}{opening}"
    shown = escape(title or notebook["metadata"]["title"])
    write_text(path, PAGE.format(title=shown, style=STYLE, body=body))


def _is_shown(output: Mapping[str, Any]) -> bool:
    """Say whether a cell's output is for every reader: a figure, or a table or box of the house."""
    data = output.get("data", {})
    html = str(data.get("text/html", "")).lstrip()
    return "image/png" in data or html.startswith(("<div class='table'", "<div class='panel'"))


def _each_heading_once(body: str) -> str:
    """Return HTML in which no two headings have one id, so that each can be linked to."""
    seen: dict[str, int] = {}

    def renamed(found: re.Match[str]) -> str:
        name = found[2]
        seen[name] = seen.get(name, 0) + 1
        return found[0] if seen[name] == 1 else found[0].replace(f'"{name}"', f'"{name}-{seen[name]}"', 1)

    return _HEADING.sub(renamed, body)


def _opening(body: str, made: str, has_code: bool) -> str:
    """Return when the page was made, the list of its contents, and the one switch for all code."""
    lines: list[str] = []
    for kind, name, words in _HEADING.findall(body):
        link = f'<a href="#{name}">{re.sub("<[^>]*>", "", words)}</a>'
        if kind == "h2" or not lines:
            lines.append(link)
        else:
            lines[-1] += f' <span class="inner">{link}</span>'
    said = f"<p>This page was made on {escape(made)}.</p>" if made else ""
    items = "".join(f"<li>{line}</li>" for line in lines)
    contents = f'<nav aria-label="Contents"><ul>{items}</ul></nav>' if lines else ""
    return f'<div class="opening">{said}{contents}{_TOGGLE if has_code else ""}</div>'
