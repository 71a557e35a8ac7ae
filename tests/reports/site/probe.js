"use strict";
// What the browser tests do on a page: sort, filter, wait for charts and the trial, and tell what they saw.

addEventListener("load", async () => {
  const told = { sorted: {} };
  const table = document.querySelector("table.sortable");
  if (table) {
    for (const heading of table.tHead.querySelectorAll("th")) {
      const button = heading.querySelector("button");
      if (!button) continue;
      const column = () => [...table.tBodies[0].rows].map((row) => row.cells[heading.cellIndex].textContent.trim());
      button.click();
      const up = [heading.ariaSort, column()];
      button.click();
      told.sorted[button.textContent] = [up, [heading.ariaSort, column()]];
    }
  }
  const input = document.querySelector("[data-filter]");
  if (input) {
    input.value = "ALERT";
    input.dispatchEvent(new Event("input"));
    const rows = document.getElementById(input.dataset.filter).querySelectorAll("tbody tr");
    told.filtered = [rows.length, [...rows].filter((row) => row.checkVisibility()).length];
  }
  const saved = [];
  URL.createObjectURL = (blob) => (saved.push(blob), "data:text/csv,");
  for (const button of document.querySelectorAll("[data-csv]")) {
    button.addEventListener("click", (event) => event.preventDefault());
    button.click();
  }
  told.csv = await Promise.all(saved.map((blob) => blob.text()));
  const undrawn = () => [...document.querySelectorAll("figure.chart:not([data-drawn])")];
  for (let i = 0; i < 240 && undrawn().length; i++) {
    undrawn()[i % undrawn().length].scrollIntoView();
    await new Promise((resolve) => {
      requestAnimationFrame(() => setTimeout(resolve, 50)); // an observer tells after a frame,
      setTimeout(resolve, 300); // and a page that stands still may draw none
    });
  }
  told.undrawn = undrawn().map((figure) => figure.textContent.slice(0, 500));
  told.turned = document.body.textContent.includes("\u202e");
  told.trial = document.getElementById("trial")?.textContent;
  told.wide = document.documentElement.scrollWidth - innerWidth;
  told.usable = performance.getEntriesByType("navigation")[0]?.domContentLoadedEventEnd;
  document.body.append(Object.assign(document.createElement("pre"), { id: "told", textContent: JSON.stringify(told) }));
});
