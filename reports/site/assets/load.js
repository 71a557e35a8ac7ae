"use strict";
// Scripts that bring data: each calls `received` with its name. A page opened as a file may load scripts, not JSON.

const waiting = new Map();

function received(name, value) {
  waiting.get(name)?.resolve(value);
}

/** The value that the script at `path`, under the root of the site, hands to `received`. */
function load(path, name = path.split("/").pop().replace(/\.js$/, "")) {
  if (!waiting.has(name)) {
    const entry = {};
    entry.promise = new Promise((resolve, reject) => Object.assign(entry, { resolve, reject }));
    waiting.set(name, entry);
    script(path).catch(entry.reject);
  }
  return waiting.get(name).promise;
}

/** Run a script of this site once. */
function script(path) {
  return new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = document.body.dataset.root + path;
    element.onload = resolve;
    element.onerror = () => reject(new Error(`${path} is missing`));
    document.head.append(element);
  });
}

/** Text whose characters that are not seen, or that turn the order of others, stand as escapes. */
function visible(content) {
  return content.replace(/[^\P{C}\n\t]/gu, (c) => {
    const hex = c.codePointAt(0).toString(16);
    const [sign, digits] = hex.length <= 2 ? ["x", 2] : hex.length <= 4 ? ["u", 4] : ["U", 8];
    return `\\${sign}${hex.padStart(digits, "0")}`;
  });
}

// A form that asks for a trial leads to its page; the id stands behind the #, which no server ever sees.
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-find]")) return;
  event.preventDefault();
  const id = event.target.elements.trial.value.trim().toLowerCase();
  location.href = `${document.body.dataset.root}trial.html#${encodeURIComponent(id)}`;
});
