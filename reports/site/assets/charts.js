"use strict";
// Charts become interactive when they are scrolled to; until then, and on paper, the drawing in the page stands.

let vega;

/** Vega and the specs of all kinds of charts, loaded by the first chart that is seen. */
function ready() {
  vega ??= Promise.all([load("assets/charts-kinds.js", "charts"), script("assets/vega.js")]).then(([kinds]) => kinds);
  return vega;
}

const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    seen.unobserve(entry.target);
    show(entry.target);
  }
}, { rootMargin: "200px" });
for (const figure of document.querySelectorAll("figure.chart")) seen.observe(figure);

async function show(figure) {
  const told = JSON.parse(figure.querySelector("script").textContent);
  try {
    if (told.source) {
      const curves = await load(told.source);
      choose(figure, told, curves);
    } else {
      await draw(figure, told, told.values);
    }
  } catch (error) {
    figure.querySelector(".plot").textContent = `This chart cannot be shown: ${error.message}`;
  }
}

/** Draw the values of a chart. */
async function draw(figure, told, values) {
  const kinds = await ready();
  const spec = filled(kinds[told.kind], told.words);
  spec.data = { values: values.map(drawable) };
  const plot = figure.querySelector(".plot");
  await vegaEmbed(plot, spec, { actions: false, renderer: "svg", tooltip: { theme: "custom" } });
  figure.dataset.drawn = values.length;
}

/** The spec with its `@words` filled in. */
function filled(node, words) {
  if (typeof node === "string" && node.startsWith("@")) return visible(words[node.slice(1)] ?? "");
  if (Array.isArray(node)) return node.map((entry) => filled(entry, words));
  if (node === null || typeof node !== "object") return node;
  return Object.fromEntries(Object.entries(node).map(([name, entry]) => [name, filled(entry, words)]));
}

/** A row as it is drawn: what is infinite or unknown is left out, names are printable. */
function drawable(row) {
  const shown = Object.entries(row).map(([name, value]) => {
    if (value === "Infinity" || value === "-Infinity") return [name, null];
    if (typeof value === "string") return [name, visible(value)];
    return [name, typeof value === "number" && !Number.isFinite(value) ? null : value];
  });
  return Object.fromEntries(shown);
}

/** Learning curves: the reader says which methods are drawn. */
function choose(figure, told, curves) {
  const chosen = new Set(told.methods);
  const redraw = () => {
    const values = [...chosen].flatMap((method) =>
      curves[method].map(([step, median, low, high]) => ({ method, step, median, low, high })));
    return draw(figure, told, values);
  };
  const names = Object.keys(curves);
  if (names.length > 1) {
    const details = document.createElement("details");
    details.className = "choice";
    const summary = document.createElement("summary");
    summary.textContent = `methods drawn (${names.length} have curves)`;
    details.append(summary);
    for (const name of [...told.methods, ...names.filter((other) => !chosen.has(other))]) {
      const label = document.createElement("label");
      const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: chosen.has(name) });
      box.addEventListener("change", () => {
        if (box.checked) chosen.add(name);
        else chosen.delete(name);
        redraw();
      });
      label.append(box, ` ${visible(name)}`);
      details.append(label);
    }
    figure.append(details);
  }
  return redraw();
}
