"use strict";
// The pages of shinso ui. Texts go in as text, never as markup; nothing is fetched from elsewhere.
const byId = (id) => document.getElementById(id);
const token = document.querySelector("meta[name=csrf-token]").content;
const post = (url, body) => fetch(url, {
  method: "POST", headers: { "content-type": "application/json", "x-csrf-token": token }, body,
});
const path = (name) => name.split("/").map(encodeURIComponent).join("/");

function made(tag, text, className) {
  const one = document.createElement(tag);
  if (text !== undefined) one.textContent = text;
  if (className) one.className = className;
  return one;
}

// Runs: curves that grow while the run goes on.
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];
const rows = [];

function svg(tag, attributes, text) {
  const one = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) one.setAttribute(name, value);
  if (text !== undefined) one.textContent = text;
  return one;
}

function draw() {
  const [part, metric] = byId("metric").value.split(": ");
  const found = rows.filter((row) => row.part === part && Number.isFinite(row[metric]));
  const chart = byId("curve");
  chart.replaceChildren();
  if (!found.length) return;
  const steps = found.map((row) => row.step);
  const values = found.map((row) => row[metric]);
  const [left, right, top, bottom] = [70, 780, 15, 255];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const [first, last] = [Math.min(...steps), Math.max(...steps)];
  const x = (step) => left + (right - left) * (last > first ? (step - first) / (last - first) : 0.5);
  const y = (value) => bottom - (bottom - top) * (high > low ? (value - low) / (high - low) : 0.5);
  for (const value of [low, (low + high) / 2, high]) {
    chart.append(svg("line", { x1: left, x2: right, y1: y(value), y2: y(value), stroke: "#8884" }));
    chart.append(svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, value.toPrecision(4)));
  }
  for (const step of [first, last]) {
    chart.append(svg("text", { x: x(step), y: 275, "text-anchor": "middle" }, String(step)));
  }
  for (const seed of new Set(found.map((row) => row.seed))) {
    const own = found.filter((row) => row.seed === seed);
    const points = own.map((row) => `${x(row.step)},${y(row[metric])}`).join(" ");
    const stroke = COLOURS[seed % COLOURS.length];
    const dashes = 4 * Math.floor(seed / COLOURS.length); // seeds of one colour differ by them
    chart.append(
      svg("polyline", { points, fill: "none", stroke, "stroke-width": 2, "stroke-dasharray": dashes || "none" }),
    );
    for (const row of own.length < 60 ? own : []) {
      chart.append(svg("circle", { cx: x(row.step), cy: y(row[metric]), r: 3, fill: stroke }));
    }
  }
  const newest = found[found.length - 1];
  byId("latest").textContent = `step ${newest.step}: ${metric} ${newest[metric].toPrecision(5)}`;
}

function follow() {
  const choice = byId("metric");
  const events = new EventSource(`/runs/${path(choice.dataset.run)}/events`);
  events.onmessage = (event) => {
    for (const row of JSON.parse(event.data)) {
      // After a new connection, or where a run goes on from an earlier step, rows come again.
      const beside = (one) => one.seed === row.seed && one.part === row.part;
      if (rows.findLast(beside)?.step >= row.step) {
        const kept = rows.filter((one) => !(beside(one) && one.step >= row.step));
        rows.splice(0, rows.length, ...kept);
      }
      rows.push(row);
      for (const name of Object.keys(row)) {
        if (["seed", "step", "part"].includes(name)) continue;
        const label = `${row.part}: ${name}`;
        if (![...choice.options].some((option) => option.value === label)) choice.add(new Option(label));
      }
    }
    draw();
  };
  events.addEventListener("state", (event) => {
    events.close();
    const state = JSON.parse(event.data);
    byId("state").textContent = byId("state").dataset[state] ?? state;
  });
  choice.addEventListener("change", draw);
}

// Claims.
function measuring() {
  byId("measure").addEventListener("click", async () => {
    const response = await post(`/claims/${path(byId("measure").dataset.claim)}/measure`, "{}");
    const said = await response.json();
    byId("measured").textContent = response.ok ? "…" : said.fault.found;
    byId("measure").disabled = response.ok;
  });
}

// Learn: one number after the other.
async function lesson() {
  const asked = new URLSearchParams(new FormData(byId("lesson")));
  asked.set("lang", document.documentElement.lang);
  const response = await fetch(`/learn/lesson.json?${asked}`);
  const found = await response.json();
  if (!response.ok) {
    byId("introduction").textContent = `${found.fault.code}: ${found.fault.place} ${found.fault.found}`;
    return;
  }
  let at = 0;
  const words = byId("step").dataset;
  byId("lesson-title").textContent = found.title;
  byId("introduction").textContent = found.introduction;
  const body = byId("shapes").tBodies[0];
  body.replaceChildren(...found.steps.map((step, number) => {
    const row = made("tr");
    const cell = made("td");
    const link = made("button", String(number + 1));
    link.type = "button";
    link.addEventListener("click", () => { at = number; show(); });
    cell.append(link);
    row.append(cell, made("td", step.name), made("td", `(${step.shape.join(", ")})`));
    return row;
  }));
  const numbers = (value) => Array.isArray(value)
    ? (Array.isArray(value[0]) ? value.map(numbers).join("\n") : value.map(numbers).join("  "))
    : Number(value).toFixed(4).padStart(9);
  function show() {
    const step = found.steps[at];
    const place = words[step.phase] + (step.time === null ? "" : `, t = ${step.time}`);
    const formula = made("div", "", "formula");
    formula.innerHTML = step.mathml;
    const parts = [made("p", place, "soft"), formula];
    parts.push(made("pre", `${step.name}  (${step.shape.join(", ")})\n${numbers(step.value)}`));
    if (step.note) parts.push(made("p", step.note));
    if (step.difference !== null) {
      parts.push(made("p", `${words.agrees} ${step.difference.toExponential(1)}`, "soft"));
    }
    byId("step").replaceChildren(...parts);
    byId("where").textContent = `${at + 1} / ${found.steps.length}`;
    [...body.rows].forEach((row, number) => row.classList.toggle("here", number === at));
    byId("back").disabled = at === 0;
    byId("forth").disabled = at === found.steps.length - 1;
  }
  const move = (by) => { at = Math.min(found.steps.length - 1, Math.max(0, at + by)); show(); };
  byId("back").addEventListener("click", () => move(-1));
  byId("forth").addEventListener("click", () => move(1));
  document.addEventListener("keydown", (event) => {
    if (["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName)) return;
    if (event.key === "ArrowRight") move(1);
    if (event.key === "ArrowLeft") move(-1);
  });
  show();
  const told = byId("questions").dataset;
  byId("questions").replaceChildren(...found.questions.map((one) => {
    const box = made("div");
    const reply = made("p", "");
    reply.setAttribute("role", "status");
    box.append(made("p", one.question), ...one.answers.map((answer, number) => {
      const button = made("button", answer);
      button.type = "button";
      button.addEventListener("click", () => {
        reply.textContent = number === one.correct ? `${told.right}: ${one.reason}` : told.wrong;
      });
      return button;
    }), reply);
    return box;
  }));
}

// Try a run.
async function trying() {
  let example = {};
  async function choose() {
    byId("title").textContent = "…";
    const response = await fetch(`/try/${path(byId("try").value)}/question.json`);
    const found = await response.json();
    byId("title").textContent = response.ok ? found.title : found.fault.found;
    if (!response.ok) return;
    example = found.example;
    byId("question").value = JSON.stringify(example, null, 1);
    byId("file-row").hidden = !Object.keys(example).some((name) => name.endsWith("_base64"));
    byId("answer").textContent = "";
  }
  byId("try").addEventListener("change", choose);
  byId("ask").addEventListener("click", async () => {
    const response = await post(`/try/${path(byId("try").value)}`, byId("question").value);
    byId("answer").textContent = `${response.status}\n${JSON.stringify(await response.json(), null, 1)}`;
  });
  byId("file").addEventListener("change", async () => {
    const file = byId("file").files[0];
    if (file) byId("question").value = await withFile(example, file);
  });
  await choose();
}

if (byId("metric")) follow();
if (byId("measure")) measuring();
if (byId("lesson")) lesson();
if (byId("try")) trying();
