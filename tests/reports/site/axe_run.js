"use strict";
// Runs axe when the page has drawn what it draws, and tells every fault that it finds.

addEventListener("load", async () => {
  const undrawn = () => [...document.querySelectorAll("figure.chart:not([data-drawn])")];
  for (let i = 0; i < 60 && undrawn().length; i++) {
    undrawn()[i % undrawn().length].scrollIntoView();
    await new Promise((resolve) => {
      requestAnimationFrame(() => setTimeout(resolve, 50));
      setTimeout(resolve, 300);
    });
  }
  for (const details of document.querySelectorAll("details")) details.open = true;
  const trial = document.getElementById("trial");
  for (let i = 0; i < 60 && trial && !trial.childElementCount; i++) await new Promise((resolve) => setTimeout(resolve, 50));
  const found = await axe.run(document, { preload: false });
  const told = {
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    checked: found.passes.map((rule) => rule.id),
    faults: found.violations.map(({ id, impact, help, nodes }) =>
      ({ id, impact, help, nodes: nodes.slice(0, 3).map((node) => `${node.html.slice(0, 200)} ${node.failureSummary}`) })),
  };
  document.body.append(Object.assign(document.createElement("pre"), { id: "told", textContent: JSON.stringify(told) }));
});
