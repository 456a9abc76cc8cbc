"use strict";
// The page to try a run: everything comes from the server that served it, nothing is executed.
const byId = (id) => document.getElementById(id);
let language = (navigator.language || "en").startsWith("ja") ? "ja" : "en";
let runs = [];

function speak() {
  document.documentElement.lang = language;
  for (const one of document.querySelectorAll("[data-en]")) one.textContent = one.dataset[language];
  byId("language").textContent = language === "ja" ? "English" : "日本語";
}

function chosen() {
  return runs.find((run) => run.name === byId("run").value);
}

function show() {
  const run = chosen();
  if (!run) return;
  byId("title").textContent = `${run.title} (${run.model})`;
  byId("question").value = JSON.stringify(run.example, null, 1);
  const names = Object.keys(run.example);
  byId("file-row").hidden = !names.some((name) => name.endsWith("_base64"));
  byId("answer").textContent = "";
}

async function ask() {
  const run = chosen();
  if (!run) return;
  byId("ask").disabled = true;
  const started = performance.now();
  try {
    const response = await fetch(`/v1/runs/${encodeURIComponent(run.name)}/answer`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: byId("question").value,
    });
    const text = JSON.stringify(await response.json(), null, 1);
    const seconds = ((performance.now() - started) / 1000).toFixed(3);
    byId("answer").textContent = `${response.status}, ${seconds} s\n${text}`;
  } catch (error) {
    byId("answer").textContent = String(error);
  }
  byId("ask").disabled = false;
}

async function takeFile() {
  const file = byId("file").files[0];
  if (file) byId("question").value = await withFile(chosen().example, file);
}

async function begin() {
  speak();
  byId("language").addEventListener("click", () => {
    language = language === "ja" ? "en" : "ja";
    speak();
  });
  byId("run").addEventListener("change", show);
  byId("ask").addEventListener("click", ask);
  byId("file").addEventListener("change", takeFile);
  runs = await (await fetch("/v1/runs")).json();
  for (const run of runs) {
    const option = document.createElement("option");
    option.value = option.textContent = run.name;
    byId("run").append(option);
  }
  show();
}

begin().catch((error) => { byId("status").textContent = String(error); });
