"""The page that `harness search --serve` shows: its document, its look and its script.

Whatever comes from captions, paths or typing enters the document as text, never as markup.
"""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Search by description</title>
<link rel="stylesheet" href="page.css">
<script src="page.js" defer></script>
</head>
<body>
<header>
<h1><label for="text">Search by description</label></h1>
<input id="text" type="search" autocomplete="off" spellcheck="false" aria-describedby="hint"
 placeholder="a woman in a red coat with a black handbag">
<p id="hint">Pictures are ranked as you type. Choose one to see which patches and words carry its match.</p>
<p id="place" class="faint"></p>
<p id="status" role="status"></p>
</header>
<main id="runs"></main>
<dialog id="map" aria-labelledby="map-title">
<form method="dialog"><h2 id="map-title"></h2><button>Close</button></form>
<div class="pair"><img id="map-own" alt=""><img id="map-tinted" alt=""></div>
<p id="map-words" class="words"></p>
<div id="map-summary"></div>
<details><summary>Numbers</summary><div class="scroll" tabindex="0" role="region" aria-label="Numbers">
<table id="map-patches"></table><table id="map-numbers"></table></div></details>
<p id="map-note" class="faint"></p>
</dialog>
<noscript><p>This page needs JavaScript; <code>harness search</code> without --serve writes one without.</p></noscript>
</body>
</html>
"""
SERVE_STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #262626; --faint: #5f5f5f; --line: #d8d8d8; --card: #f6f6f6;
  --focus: #0072B2; --twin: #fdf0e3; --for: 0,114,178; --against: 213,94,0; }
@media (prefers-color-scheme: dark) { :root { --ground: #16181b; --ink: #ececec; --faint: #a9a9a9; --line: #3b3f45;
  --card: #22252a; --focus: #56B4E9; --twin: #3a2a18; --for: 86,180,233; --against: 230,130,40; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 100rem; padding: 1rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.35rem; margin: 0 0 .4rem; } h2 { font-size: 1.05rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .3rem 0; } .faint, #hint, #status { overflow-wrap: anywhere; color: var(--faint);
  font-size: .85rem; } #status { min-height: 1.5em; }
input { width: 100%; max-width: 60rem; font: inherit; font-size: 1.1rem; padding: .55rem .7rem; color: inherit;
  background: var(--ground); border: 1px solid var(--faint); border-radius: 6px; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
main { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1.2rem; }
@media (min-width: 44rem) { main.two { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
.twin { background: var(--twin); border-left: 4px solid #D55E00; padding: .1rem .6rem; font-size: .85rem;
  display: inline-block; }
ol { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); gap: .7rem; padding: 0;
  list-style: none; margin: .6rem 0; }
@media (max-width: 43.9rem) { main.two ol { grid-auto-flow: column; grid-template-columns: none;
  grid-auto-columns: 7.5rem; overflow-x: auto; } }
li button { display: block; width: 100%; padding: 0; font: inherit; color: inherit; text-align: left; cursor: pointer;
  background: var(--card); border: 1px solid var(--line); border-radius: 6px; overflow: hidden; }
li img, li .gone { display: flex; width: 100%; height: 13rem; object-fit: contain; align-items: center;
  justify-content: center; color: var(--faint); font-size: .8rem; }
li .line { display: flex; justify-content: space-between; padding: .25rem .5rem; font-variant-numeric: tabular-nums; }
li .line b { font-weight: 600; }
dialog { width: min(46rem, calc(100vw - 1.5rem)); max-height: calc(100vh - 2rem); overflow: auto; color: inherit;
  background: var(--ground); border: 1px solid var(--line); border-radius: 8px; padding: 1rem; }
dialog::backdrop { background: rgba(0,0,0,.5); }
dialog form { display: flex; justify-content: space-between; gap: 1rem; align-items: start; }
dialog form button, summary { font: inherit; cursor: pointer; }
.pair { display: flex; gap: 1rem; justify-content: center; margin: .8rem 0; }
.pair img { height: 18rem; max-width: 48%; object-fit: contain; }
.words { line-height: 2; overflow-wrap: anywhere; }
.word { padding: .1rem .25rem; border-radius: 3px; border-bottom: 2px solid transparent; }
.word.against { border-bottom: 2px dotted rgb(var(--against)); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .8rem; margin: .6rem 0;
  font-variant-numeric: tabular-nums; } th, td { padding: .15rem .5rem; text-align: right; }
caption { text-align: left; font-weight: 600; } #map-numbers td:first-child { text-align: left; }
"""
SCRIPT = """'use strict';
const byId = id => document.getElementById(id), TOP = 12, WAIT = 120;
const make = (name, text, looks) => Object.assign(document.createElement(name), {textContent: text ?? ''}, looks);
const signed = value => (value < 0 ? '\\u2212' : '+') + Math.abs(value).toFixed(3);
let about, timer, asking, shown = '', opened = 0;

async function post(path, value, signal) {
  const answer = await fetch(path, {method: 'POST', headers: {'Content-Type': 'application/json'},
    body: JSON.stringify(value), signal});
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

function head(run) {
  const section = make('section'), title = make('h2', run.method + ' on ' + run.dataset);
  section.setAttribute('aria-label', run.run);
  section.append(title, make('p', run.run, {className: 'faint'}));
  if (run.synthetic) section.append(make('p', 'SYNTHETIC TWIN: a run on drawn people', {className: 'twin'}));
  section.append(make('ol'));
  return section;
}

function card(hit, run) {
  const item = make('li'), button = make('button'), line = make('span', '', {className: 'line'});
  const picture = make('img', '', {src: 'image/' + run + '/' + hit.image, alt: '', loading: 'lazy'});
  picture.addEventListener('error', () => picture.replaceWith(make('span', 'cannot be read', {className: 'gone'})));
  line.append(make('b', hit.rank), make('span', hit.similarity.toFixed(3)));
  button.setAttribute('aria-label', 'Rank ' + hit.rank + ', similarity ' + hit.similarity.toFixed(3) + ', ' + hit.path);
  button.title = hit.path;
  button.append(picture, line);
  button.addEventListener('click', () => explain(hit, run));
  item.append(button);
  return item;
}

async function search() {
  const text = byId('text').value;
  asking?.abort();
  asking = new AbortController();
  const own = asking;
  try {
    const found = await post('search', {text, top: TOP}, own.signal);
    if (own !== asking) return;
    shown = text;
    found.runs.forEach((one, run) => {
      const list = byId('runs').children[run].querySelector('ol');
      list.replaceChildren(...(one ? one.hits.map(hit => card(hit, run)) : []));
    });
    const times = found.runs.filter(Boolean).map(one => Math.round(one.ms) + ' ms');
    const whole = text.trim().split(/\\s+/).join(' '), cut = whole.length - found.read.length;
    byId('status').textContent = found.read ? found.runs[0].hits.length + ' images, ' + times.join(' and ')
      + (cut > 0 ? '; only the beginning of this text is read' : '') : 'Type a description.';
  } catch (error) {
    if (error.name !== 'AbortError') byId('status').textContent = said(error);
  }
}

const said = error => error instanceof TypeError ? 'The search was stopped in the terminal.' : error.message;

async function explain(hit, run) {
  const number = ++opened;
  byId('map-title').textContent = 'Rank ' + hit.rank + ': ' + hit.path;
  for (const id of ['map-words', 'map-summary', 'map-patches', 'map-numbers', 'map-note']) byId(id).replaceChildren();
  Object.assign(byId('map-own'), {src: 'image/' + run + '/' + hit.image, alt: 'The picture'});
  byId('map-tinted').hidden = true;
  byId('map-summary').append(make('p', 'Looking\\u2026'));
  if (!byId('map').open) byId('map').showModal();
  try {
    const found = await post('relevance', {text: shown, run, image: hit.image});
    if (number === opened) fill(found);
  } catch (error) {
    if (number === opened) byId('map-summary').replaceChildren(make('p', said(error)));
  }
}

function fill(found) {
  const lines = found.summary;
  Object.assign(byId('map-tinted'), {src: found.picture, alt: 'Relevance map. ' + lines.join(' '), hidden: false});
  for (const {word, carries, strength} of found.words) {
    const span = make('span', word, {className: strength < 0 ? 'word against' : 'word', title: signed(carries)});
    span.style.background = 'rgba(var(--' + (strength < 0 ? 'against' : 'for') + '),' + 0.55 * Math.abs(strength) + ')';
    byId('map-words').append(span, ' ');
  }
  byId('map-summary').replaceChildren(...lines.map(line => make('p', line)));
  table('map-patches', 'Patches, by row and column', ['', ...found.patches[0].map((_, n) => n + 1)],
    found.patches.map((row, n) => [n + 1, ...row.map(signed)]));
  table('map-numbers', 'Words', ['word', 'carries'], found.words.map(one => [one.word, signed(one.carries)]));
  byId('map-note').textContent = about.maps;
}

function table(id, title, header, rows) {
  const line = (cells, name) => {
    const row = make('tr');
    row.append(...cells.map(cell => make(name, cell)));
    return row;
  };
  byId(id).replaceChildren(make('caption', title), line(header, 'th'), ...rows.map(row => line(row, 'td')));
}

fetch('about').then(answer => answer.json()).then(found => {
  about = found;
  byId('runs').append(...found.runs.map(head));
  byId('runs').classList.toggle('two', found.runs.length > 1);
  const {images, gallery, unreadable} = found.runs[0];
  byId('place').textContent = images.toLocaleString('en') + ' images in ' + gallery
    + (unreadable ? ', ' + unreadable + ' unreadable and left out' : '');
  byId('text').value = found.first;
  byId('text').focus();
  byId('text').addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(search, WAIT); });
  byId('status').textContent = 'Type a description.';
  if (found.first) search();
}).catch(error => { byId('status').textContent = said(error); });
"""
