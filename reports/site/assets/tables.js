"use strict";
// Tables that are sorted by their headings, filtered by a word, and saved as CSV.

for (const table of document.querySelectorAll("table.sortable")) {
  for (const button of table.tHead.querySelectorAll("button")) {
    button.addEventListener("click", () => sort(table, button.closest("th")));
  }
}

/** Sort by a heading: numbers upwards first, then downwards; what has no value stays at the end. */
function sort(table, heading) {
  const down = heading.getAttribute("aria-sort") === "ascending";
  for (const other of heading.parentNode.children) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows].map((row) => [key(row.cells[heading.cellIndex]), row]);
  const numeric = rows.some(([value]) => typeof value === "number");
  const order = new Intl.Collator("en", { numeric: true });
  rows.sort(([a], [b]) => {
    const empty = [a, b].map((value) => value === "" || (numeric && typeof value !== "number"));
    if (empty[0] || empty[1]) return empty[0] - empty[1];
    const difference = numeric ? (a === b ? 0 : a - b) : order.compare(a, b);
    return down ? -difference : difference;
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

function key(cell) {
  const value = cell.dataset.v;
  if (value === undefined) return cell.textContent.trim();
  return value === "inf" ? Infinity : value === "-inf" ? -Infinity : Number(value);
}

for (const input of document.querySelectorAll("[data-filter]")) {
  const section = document.getElementById(input.dataset.filter);
  const rows = section.querySelectorAll("tbody tr");
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    section.querySelector(".count").textContent = words.length ? `${shown} of ${rows.length} rows` : "";
  });
}

for (const button of document.querySelectorAll("[data-csv]")) {
  button.addEventListener("click", () => {
    const table = document.getElementById(button.dataset.csv).querySelector("table");
    const lines = [...table.rows].filter((row) => !row.hidden).map(csvLine);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines.join("\r\n") + "\r\n"], { type: "text/csv" }));
    link.download = `${button.dataset.csv}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

/** One line of CSV; what a spreadsheet would take for a formula gets a quote in front. */
function csvLine(row) {
  const cells = [...row.cells].filter((cell) => !("skip" in cell.dataset));
  return cells
    .map((cell) => cell.textContent.trim().replace(/\s+/g, " "))
    .map((text) => (/^[=+@＝＋－＠-]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text))
    .map((text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text))
    .join(",");
}
