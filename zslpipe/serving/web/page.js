// The page of zslpipe serve. All that comes from the server or the user is set as text, never as HTML.
"use strict";

const $ = (id) => document.getElementById(id);
const added = []; // classes in words, sent along with every picture
const values = {}; // attributes that were set one by one
let picture = null; // the file that is shown
let asked = 0; // number of the last question: answers to earlier ones are dropped
let run = null;

function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children.filter((child) => child !== null));
  return node;
}

// Names break after their separators, as in the reports.
function breakable(name) {
  const span = make("span");
  for (const part of String(name).split(/(?<=[_:/.])/)) span.append(part, make("wbr"));
  return span;
}

function bar(label, note, number, length, side, left = 0, marked = false) {
  const track = make("span", { className: `track ${side}` }, make("b"));
  track.firstChild.style.width = `${(100 * Math.min(1, Math.max(0, length))).toFixed(1)}%`;
  track.firstChild.style.marginLeft = `${(100 * left).toFixed(1)}%`;
  const name = marked ? make("b", {}, breakable(label)) : breakable(label);
  const head = make("th", { scope: "row" }, name, note ? make("small", {}, note) : null);
  return make("tr", {}, head, make("td", { className: "figure" }, number), make("td", {}, track));
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("the server does not answer: is zslpipe serve still running?");
  }
  const told = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(told.error || `the server answered ${response.status}.`);
  return told;
}

function say(id, text, failed = false) {
  $(id).textContent = text;
  $(id).classList.toggle("failed", failed);
}

// --- the picture ---

function take(file) {
  if (!file) return;
  if (run && file.size > run.limits.bytes - 250000) {
    say("status", "The picture is too large for this server.", true);
    return;
  }
  picture = file;
  const preview = $("preview");
  if (preview.src) URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(file);
  preview.hidden = false;
  predict();
}

async function predict() {
  if (!picture) return;
  const number = ++asked;
  const form = new FormData();
  form.append("image", picture, "picture");
  form.append("explain", "true");
  form.append("pictures", "true");
  if (added.length) form.append("classes", JSON.stringify(added));
  say("status", "Looking at the picture …");
  try {
    const told = await ask("/api/predict", { method: "POST", body: form });
    if (number !== asked) return;
    say("status", "");
    show(told);
  } catch (problem) {
    if (number === asked) say("status", problem.message, true);
  }
}

function show(told) {
  const best = told.classes[0];
  const verdict = $("verdict");
  verdict.replaceChildren(make("b", {}, breakable(best.class)), ` ${best.text}, ${best.kind}`);
  if (told.known === false) verdict.append(make("br"), "The run is not sure that it is one of these classes.");
  const scores = told.classes.map((one) => one.score);
  const low = Math.min(...scores);
  const span = Math.max(...scores) - low || 1;
  const share = (one) => (one.probability === null ? (one.score - low) / span : one.probability);
  const line = (one, i) => bar(one.class, one.kind, one.text, share(one), one.kind === "seen" ? "seen" : "unseen", 0, !i);
  $("classes").replaceChildren(...told.classes.map(line));
  showContrast(told.contrast);
  showMaps(told);
}

function showContrast(contrast) {
  $("why").textContent = contrast ? contrast.title : "";
  say("why-note", contrast ? contrast.note : "");
  const lines = contrast ? contrast.terms.map((t) => [t.attribute, t.text, t.contribution]) : [];
  if (contrast) lines.push(["all other attributes", "", contrast.others]);
  if (contrast && contrast.calibration) lines.push(["calibration (δ)", "", contrast.calibration]);
  const largest = Math.max(...lines.map((one) => Math.abs(one[2])), 1e-12);
  const rows = lines.map(([name, note, value]) => {
    const width = Math.abs(value) / largest / 2;
    const number = `${value < 0 ? "−" : "+"}${Math.abs(value).toPrecision(2)}`;
    return bar(name, note, number, width, value < 0 ? "unseen" : "seen", value < 0 ? 0.5 - width : 0.5);
  });
  $("terms").replaceChildren(...rows);
}

function showMaps(told) {
  $("where").textContent = told.maps_title;
  const figures = told.maps.filter((one) => one.picture).map((one) => {
    const caption = make("figcaption", {}, breakable(one.caption[0]), make("small", {}, one.caption[1]));
    return make("figure", { className: "plain" }, make("img", { src: one.picture, alt: one.caption.join(": ") }), caption);
  });
  $("maps").replaceChildren(...figures);
}

const drop = $("drop");
$("file").addEventListener("change", (event) => take(event.target.files[0]));
for (const kind of ["dragenter", "dragover"]) {
  drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  drop.classList.remove("over");
  take([...event.dataTransfer.files].find((file) => file.type.startsWith("image/")));
});
document.addEventListener("paste", (event) => take([...event.clipboardData.files][0]));

// --- a class in words ---

function chip(text, remove) {
  const button = make("button", { type: "button", title: "remove", ariaLabel: `remove ${text}` }, "×");
  button.addEventListener("click", remove);
  return make("li", {}, make("span", {}, text), button);
}

function showValues() {
  if (!$("values")) return;
  const chips = Object.entries(values).map(([name, value]) =>
    chip(`${name} = ${value}`, () => {
      delete values[name];
      showValues();
    })
  );
  $("values").replaceChildren(...chips);
}

function showAdded() {
  const remove = (one) => () => {
    added.splice(added.indexOf(one), 1);
    showAdded();
    predict();
  };
  $("added").replaceChildren(...added.map((one) => chip(one.name, remove(one))));
}

// A run whose semantics come from words has neither a list of attributes nor of similar classes.
const chosen = () => run && run.attributes.find((one) => one.attribute === $("attribute").value);

$("attribute")?.addEventListener("input", () => {
  const one = chosen();
  if (!one) return;
  const range = $("value");
  Object.assign(range, { min: one.least, max: one.most, step: (one.most - one.least) / 100 || "any" });
  range.value = one.most;
  $("shown").textContent = Number(range.value).toPrecision(3);
});
$("value")?.addEventListener("input", (event) => ($("shown").textContent = Number(event.target.value).toPrecision(3)));
$("set")?.addEventListener("click", () => {
  if (!chosen()) return say("understood", "choose an attribute from the list.", true);
  values[$("attribute").value] = Number(Number($("value").value).toPrecision(6));
  $("attribute").value = "";
  say("understood", "");
  showValues();
});

$("add").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = (id) => $(id).value.trim();
  const one = { name: text("name"), like: $("like")?.value ?? "", sentence: text("sentence"), attributes: { ...values } };
  if (added.some((other) => other.name === one.name)) return say("understood", "you have added that class already.", true);
  if (run && added.length >= run.limits.added_classes) return say("understood", "that are enough classes.", true);
  try {
    const body = JSON.stringify(one);
    const told = await ask("/api/describe", { method: "POST", headers: { "content-type": "application/json" }, body });
    const named = Object.entries(told.named).map(([name, value]) => `${name} = ${Number(value).toPrecision(3)}`);
    say("understood", `Understood as ${told.base}${named.length ? `, but ${named.join(", ")}` : ""}.`);
    added.push(one);
    event.target.reset();
    for (const name of Object.keys(values)) delete values[name];
    if ($("shown")) $("shown").textContent = "";
    showValues();
    showAdded();
    predict();
  } catch (problem) {
    say("understood", problem.message, true);
  }
});

ask("/api/run").then(
  (told) => {
    run = told;
    $("like")?.append(...told.classes.map((one) => make("option", { value: one.class }, one.class)));
    $("attributes")?.append(...told.attributes.map((one) => make("option", { value: one.attribute })));
  },
  (problem) => say("status", problem.message, true)
);
