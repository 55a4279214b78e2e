"use strict";
// All text goes in by textContent, so that no file name is ever read as markup.
const SVG = "http://www.w3.org/2000/svg";
const TREND_SAMPLES = 60;
const RETRY_MS = 5000;
const at = (id) => document.getElementById(id);

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function timeOfDay(seconds) {
  return seconds === null ? "n/a" : new Date(seconds * 1000).toLocaleTimeString("en-GB");
}

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

/* Rows are made once a device and changed in place: what is selected or read aloud stays where it is. */

const NUMBERS = [
  ["temperature", "Temp."], ["power", "Power"], ["cpu", "CPU"], ["resident", "RSS"], ["reads", "Read"],
  ["throughput", "Seq/s"], ["queue", "Queue"], ["completed", "Done"], ["failed", "Failed"], ["stolen", "Steals"],
];
const rows = new Map();

function makeRow() {
  const row = { tr: make("tr") };
  row.tr.setAttribute("role", "row");
  const head = row.tr.appendChild(make("th"));
  head.scope = "row";
  head.setAttribute("role", "rowheader");
  row.device = head.appendChild(make("span"));
  row.name = head.appendChild(make("small"));
  const cell = (className, label, column = className) => {
    const td = row.tr.appendChild(make("td", className));
    td.setAttribute("role", "cell");
    td.dataset.column = column;
    if (label) td.dataset.label = label;
    return td;
  };
  row.state = cell("state");
  row.compute = makeMeter(cell("compute", "Compute"));
  row.trend = makeTrend(cell("trend"));
  row.memory = makeMeter(cell("memory", "Memory"));
  for (const [key, label] of NUMBERS) row[key] = cell("number", label, key);
  const file = cell("file", "Current file").appendChild(make("div"));
  row.file = file.appendChild(make("span", "name"));
  row.fileDone = file.appendChild(make("span", "done"));
  return row;
}

function makeMeter(td) {
  const meter = td.appendChild(make("span", "meter"));
  meter.setAttribute("aria-hidden", "true");
  return { meter, length: meter.appendChild(make("i")), text: td.appendChild(make("span")) };
}

function makeTrend(td) {
  const svg = td.appendChild(document.createElementNS(SVG, "svg"));
  svg.setAttribute("viewBox", `0 0 ${TREND_SAMPLES - 1} 100`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  return svg;
}

function showMeter(parts, figure) {
  parts.meter.className = `meter ${figure.percent === null ? "none" : figure.level}`;
  parts.length.style.width = `${figure.percent === null ? 0 : figure.percent}%`;
  parts.text.className = figure.level;
  setText(parts.text, figure.text);
}

function showTrend(svg, values) {
  const known = values.filter((value) => value !== null);
  const label = known.length ? `${Math.min(...known)} to ${Math.max(...known)} %` : "n/a";
  svg.setAttribute("aria-label", `Compute over the last ${values.length} samples: ${label}`);
  // A line for each stretch of known figures: a gap where they are unknown.
  const lines = [[]];
  values.forEach((value, index) => {
    if (value === null) lines.push([]);
    else lines[lines.length - 1].push(`${TREND_SAMPLES - values.length + index},${100 - value}`);
  });
  svg.replaceChildren(...lines.filter((points) => points.length).map((points) => {
    const line = document.createElementNS(SVG, "polyline");
    line.setAttribute("points", points.join(" "));
    return line;
  }));
}

function showDevices(devices, unknown) {
  const present = new Set(devices.map((device) => device.key));
  for (const [key, row] of rows) {
    if (!present.has(key)) {
      row.tr.remove();
      rows.delete(key);
    }
  }
  devices.forEach((device, index) => {
    if (!rows.has(device.key)) rows.set(device.key, makeRow());
    const row = rows.get(device.key);
    setText(row.device, device.device);
    setText(row.name, device.name);
    row.state.className = `state ${device.level}`;
    setText(row.state, device.state);
    showMeter(row.compute, device.compute);
    showTrend(row.trend, device.trend);
    showMeter(row.memory, device.memory);
    for (const [key] of NUMBERS) setText(row[key], device[key]);
    row.temperature.classList.toggle("bad", device.temperature.startsWith("!!"));
    row.failed.classList.toggle("bad", !["0", "n/a"].includes(device.failed));
    setText(row.file, device.file);
    row.file.title = device.file;
    setText(row.fileDone, device.file_done);
    const body = at("devices");
    if (body.children[index] !== row.tr) body.insertBefore(row.tr, body.children[index] || null);
  });
  // As in the terminal: no column in which nothing is known.
  for (const cell of document.querySelectorAll("[data-column]")) cell.hidden = unknown.includes(cell.dataset.column);
  at("no-devices").hidden = devices.length > 0;
  at("scroll").hidden = devices.length === 0;
}

function showProgress(figures) {
  setText(at("progress"), figures.end ? `${figures.progress}, ${figures.end}` : figures.progress);
  const hasBar = Boolean(figures.total) && figures.done !== null;
  at("bar").hidden = !hasBar;
  if (!hasBar) return;
  at("bar").setAttribute("aria-valuemax", figures.total);
  at("bar").setAttribute("aria-valuenow", figures.done);
  at("bar").setAttribute("aria-valuetext", figures.progress);
  at("bar-done").style.width = `${(100 * figures.done) / figures.total}%`;
  at("bar-failed").style.width = `${(100 * (figures.failed || 0)) / figures.total}%`;
}

function showFacts(facts) {
  const list = at("facts");
  while (list.children.length > facts.length) list.lastChild.remove();
  facts.forEach(([name, value], index) => {
    const fact = list.children[index] || list.appendChild(make("div"));
    if (!fact.children.length) fact.append(make("dt"), make("dd"));
    setText(fact.children[0], name);
    setText(fact.children[1], value);
  });
}

function showProblems(problems) {
  at("problems-section").hidden = problems.length === 0;
  at("problems").replaceChildren(...problems.map((problem) => make("li", problem.level, problem.text)));
}

function showNotices(notices) {
  at("notices-section").hidden = notices.length === 0;
  at("notices").replaceChildren(...notices.map((notice) => make("li", "", notice)));
}

function showSteals(steals) {
  at("steals-section").hidden = steals.length === 0;
  at("steals").replaceChildren(...steals.map((steal) => {
    const item = make("li");
    item.append(
      make("time", "", timeOfDay(steal.time)), make("span", "", `${steal.thief} ← ${steal.victim}`),
      make("span", "", steal.file), make("span", "saved", steal.saved),
    );
    return item;
  }));
}

let last = null;

function show(figures) {
  last = figures;
  setText(at("now"), timeOfDay(figures.now));
  setText(at("title"), figures.title);
  document.title = `${figures.progress} · ${figures.title}`;
  at("simulated").hidden = !figures.is_simulated;
  showProgress(figures);
  showFacts(figures.facts);
  at("effect").hidden = !figures.effect;
  setText(at("effect"), `Stealing: ${figures.effect}.`);
  showProblems(figures.problems);
  showDevices(figures.devices, figures.unknown);
  showSteals(figures.steals);
  showNotices(figures.notices);
}

function showContact(isLost) {
  const isOver = last !== null && Boolean(last.end);
  at("contact").classList.toggle("lost", isLost && !isOver); // after the end no more is to be expected
  const lost = last === null ? "No contact." : "No contact; the figures are old, of";
  setText(at("state"), isOver ? "the last figures, of" : isLost ? lost : "live,");
}

function connect() {
  const source = new EventSource("events");
  source.onmessage = (event) => {
    show(JSON.parse(event.data));
    showContact(false);
  };
  source.onerror = () => {
    showContact(true);
    // After a refusal, such as of too many viewers, the browser would not try again by itself.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS);
  };
}

connect();
