// Sorts the tables of a page by a click on a heading, and finds rows by words. Without it all can be read.
"use strict";

function valueOf(row, column) {
  const cell = row.cells[column];
  const key = cell.dataset.sort;
  if (key === undefined) return cell.textContent.trim();
  const number = Number(key);
  return key !== "" && Number.isFinite(number) ? number : key;
}

function isMissing(value) { return value === "–" || value === ""; }

function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), "en", { numeric: true });
}

function sortBy(table, column) {
  const heading = table.tHead.rows[0].cells[column];
  const down = heading.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows].map((row) => [valueOf(row, column), row]);
  rows.sort(([one], [other]) => {
    // What has no value stands last either way.
    if (isMissing(one) || isMissing(other)) return isMissing(one) - isMissing(other);
    return down ? compare(other, one) : compare(one, other);
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

function find(tables, words, said) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0, all = 0;
  for (const table of tables) {
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
      shown += !row.hidden;
      all += 1;
    }
  }
  said.textContent = wanted.length ? `${shown} of ${all} rows` : "";
}

const tables = [...document.querySelectorAll("table.sorted")];
for (const table of tables) {
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    button.addEventListener("click", () => sortBy(table, column));
    heading.replaceChildren(button);
  });
}
if (tables.some((table) => table.tBodies[0].rows.length > 5)) {
  const box = document.createElement("div"), input = document.createElement("input");
  const label = document.createElement("label"), said = document.createElement("span");
  box.className = "find";
  input.type = "search";
  input.id = "find";
  label.htmlFor = "find";
  label.textContent = "Find rows";
  said.setAttribute("role", "status");
  input.addEventListener("input", () => find(tables, input.value, said));
  box.append(label, input, said);
  document.querySelector("h1").after(box);
}
