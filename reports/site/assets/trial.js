"use strict";
// The page of one trial: its id stands behind the #, its data in one of the shards.

const place = document.getElementById("trial");
addEventListener("hashchange", showTrial);
showTrial();

async function showTrial() {
  const id = decodeURIComponent(location.hash.slice(1));
  document.querySelector("[data-find]").elements.trial.value = id;
  if (!/^[0-9a-f]{2,32}$/.test(id)) {
    place.replaceChildren(text("p", id ? `"${id}" is no trial id; one is 32 hex digits.` : "Give a trial id, or follow a seed on the page of a method."));
    return;
  }
  const shards = Number(place.dataset.shards);
  const number = Math.floor((parseInt(id.slice(0, 2), 16) * shards) / 256);
  try {
    const [trials, shared] = await Promise.all([load(`data/trials-${number}.js`), load("data/shared.js")]);
    const found = Object.keys(trials).filter((trial) => trial.startsWith(id));
    if (found.length === 1) place.replaceChildren(...trials[found[0]].flatMap((row) => answer(found[0], row, shared)));
    else place.replaceChildren(text("p", `${found.length || "No"} trials here begin with ${id}.`));
  } catch (error) {
    place.replaceChildren(text("p", error.message));
  }
}

/** Everything about one record that answers for a trial. */
function answer(trial, row, { texts, code }) {
  const [record, fingerprint, words, reason, costs, seed, counters, plans, values, log] = row;
  const [run, status, machine, environment, kernels, task, slots, rest, argv] = words.map((number) => texts[number]);
  const [started, seconds, total, cpu, peak, state, contended] = costs;
  const planned = plans.map((plan) => plan.map((number) => texts[number]));
  const [, , method, label] = planned[0];
  const names = ["forwards", "nfe", "samples", "draws", "bits"];
  const counted = Object.fromEntries(names.map((name, i) => [name, counters[i]]).filter(([, value]) => value !== null));
  const [modules, libraries, data] = code[fingerprint].map((parts) => `{${parts.map((number) => texts[number]).join(",")}}`);
  const identity = { task: parsed(task), slots: parsed(slots), seed, ...parsed(rest) };
  return [
    text("h2", `${method} on ${label}, seed ${seed}: ${status}`),
    reason ? text("p", reason) : "",
    facts({
      trial, record, fingerprint, "spec and run": planned.map(([name, id]) => `${name} (${id})`).join(", "),
      "answered by run": run, started: new Date(1000 * started).toISOString(), machine,
      "wall time without evaluation": duration(seconds) + (contended ? ", other trials ran beside" : ""),
      "wall time in all": duration(total), "CPU time": duration(cpu),
      "peak memory": bytes(peak), "state between steps": bytes(state),
      ...counted,
    }),
    part("Final values", table(["metric", "value"], values.map(([name, value]) => [texts[name], String(value)]))),
    part("To repeat it", lines(commands(parsed(argv || "[]"), `${method}@${label}`, trial))),
    part("Identity: what was asked", json(identity)),
    part("Environment", json(parsed(environment))),
    part("Libraries and data", json({ libraries: parsed(libraries), data: parsed(data), ...(kernels ? { kernels: parsed(kernels) } : {}) })),
    part("Code: hash of each module that can change the result", json(parsed(modules))),
    part("Log, its last lines", lines(log || "(no log is kept here)")),
  ].filter(Boolean);
}

/** Command lines; what a shell would read as its own is quoted. */
function commands(argv, pair, trial) {
  const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
  const run = argv.length ? [`${argv.map(quoted).join(" ")} --only ${quoted(pair)}`] : [];
  return [...run, `bench verify ${trial}`, `bench explain ${trial}`, `bench logs ${trial}`].join("\n");
}

/** An element with text. */
function text(tag, content) {
  return Object.assign(document.createElement(tag), { textContent: visible(content) });
}

/** Lines as they stand, which the keyboard can scroll where they are many. */
function lines(content) {
  return Object.assign(text("pre", content), { tabIndex: 0 });
}

function part(title, content) {
  const section = document.createElement("section");
  section.append(text("h3", title), content);
  return section;
}

function facts(entries) {
  const list = document.createElement("dl");
  list.className = "facts";
  for (const [name, value] of Object.entries(entries)) {
    if (value !== "" && value !== null && value !== undefined) list.append(text("dt", name), text("dd", String(value)));
  }
  return list;
}

function table(headings, rows) {
  const element = document.createElement("table");
  const head = element.createTHead().insertRow();
  for (const heading of headings) head.append(Object.assign(text("th", heading), { scope: "col" }));
  const body = element.createTBody();
  for (const row of rows) body.insertRow().append(...row.map((cell) => text("td", cell)));
  return element;
}

function json(value) {
  return lines(JSON.stringify(value, null, 1));
}

function parsed(document) {
  try {
    return JSON.parse(document || "{}");
  } catch {
    return document;
  }
}

function duration(seconds) {
  return seconds === null ? "" : seconds >= 120 ? `${(seconds / 60).toPrecision(3)} min` : `${Number(seconds.toPrecision(3))} s`;
}

function bytes(count) {
  if (!count) return "";
  const units = ["B", "KiB", "MiB", "GiB"];
  const power = Math.min(3, Math.floor(Math.log2(count) / 10));
  return `${Number((count / 1024 ** power).toPrecision(3))} ${units[power]}`;
}
