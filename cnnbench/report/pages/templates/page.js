// What can a reader do on the page? Sort and filter tables, and choose the axes of the curves.
// Without this script everything is there: the tables, and the curves as still pictures.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes = {}, ...children) {
  const drawn = ["svg", "g", "path", "line", "text", "circle"].includes(name);
  const made = drawn ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);  // text, never markup
  return made;
}

// -- tables -------------------------------------------------------------------------------------

function numberIn(text) {
  const number = text.replace(/,/g, "").replace(/\u2212/g, "-").match(/^[+-]?\d+(\.\d+)?/);
  return number ? Number(number[0]) : null;
}

function compareCells(a, b) {
  const [x, y] = [numberIn(a), numberIn(b)];
  if (x !== null && y !== null) return x - y || a.localeCompare(b);
  if (x !== null || y !== null) return x === null ? 1 : -1;
  return a.localeCompare(b);
}

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = element("button", { type: "button", title: "sort by this column" });
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const numbers = head.classList.contains("number");
      const before = head.getAttribute("aria-sort");
      const first = numbers ? "descending" : "ascending";
      const second = numbers ? "ascending" : "descending";
      const order = before === first ? second : first;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const body = table.tBodies[0];
      const text = (row) => row.cells[column].textContent.trim();
      const known = (row) => text(row) !== "\u2013";  // what was not measured comes last
      const rows = [...body.rows].sort((a, b) =>
        known(b) - known(a) || (order === "ascending" ? 1 : -1) * compareCells(text(a), text(b)));
      body.append(...rows);
    });
  });
}

function filterable(table) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length < 5) return;
  const input = element("input", { type: "search", size: "18" });
  const status = element("span", { role: "status" });
  const label = element("label", {}, `${table.dataset.filter}: show only `, input);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
    const shown = rows.filter((row) => !row.hidden).length;
    status.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
  });
  table.closest(".scroll").before(element("div", { class: "filter" }, label, status));
}

// -- the chart ----------------------------------------------------------------------------------

const MARKERS = {
  o: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0",
  s: "M-3.6 -3.6H3.6V3.6H-3.6Z",
  "^": "M0 -4.6L4.4 3.4H-4.4Z",
  D: "M0 -4.8L4.8 0L0 4.8L-4.8 0Z",
  v: "M0 4.6L4.4 -3.4H-4.4Z",
  P: "M-1.6 -4.4H1.6V-1.6H4.4V1.6H1.6V4.4H-1.6V1.6H-4.4V-1.6H-1.6Z",
  X: "M-4 -2.2L-2.2 -4L0 -1.8L2.2 -4L4 -2.2L1.8 0L4 2.2L2.2 4L0 1.8L-2.2 4L-4 2.2L-1.8 0Z",
  "<": "M-4.6 0L3.4 -4.4V4.4Z",
  ">": "M4.6 0L-3.4 -4.4V4.4Z",
};

function short(value) {
  const size = Math.abs(value);
  if (size >= 1e6 || (size > 0 && size < 1e-3)) return value.toExponential(2).replace(/\.?0*e\+?/, "e");
  return String(Number(value.toPrecision(4))).replace(/\B(?=(\d{3})+$)/g, (x, y, at, all) => all.includes(".") ? "" : ",");
}

function ticksOf(low, high, log, wanted) {
  if (log) {
    const numbers = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
      for (const digit of [1, 2, 5]) numbers.push(digit * 10 ** power);
    }
    const seen = numbers.filter((value) => value >= low * 0.999 && value <= high * 1.001);
    const tens = seen.filter((value) => Math.abs(Math.log10(value) % 1) < 1e-9);
    return seen.length > 1.6 * wanted && tens.length > 1 ? tens : seen;
  }
  const rough = (high - low || 1) / wanted;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [1, 2, 2.5, 5, 10].find((part) => part * unit >= rough * 0.999);
  const ticks = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high * 1.0001; at += 1) ticks.push(at * step);
  return ticks;
}

function mean(values) {
  return values.some((value) => value === null) ? null : values.reduce((a, b) => a + b, 0) / values.length;
}

function meanOfSeeds(lines, axes) {
  const groups = new Map();
  for (const line of lines) groups.set(line.label, [...(groups.get(line.label) || []), line]);
  return [...groups].map(([label, seeds]) => {
    const count = Math.min(...seeds.map((line) => line.top1.length));
    const at = (key, index) => seeds.map((line) => line[key][index]);
    const places = [...Array(count).keys()];
    const made = { label, row: seeds[0].row, seed: null, seeds: seeds.length, range: {} };
    for (const key of [...axes, "top1", "test_loss", "train_loss"]) made[key] = places.map((i) => mean(at(key, i)));
    for (const key of ["top1", "test_loss", "train_loss"]) {
      made.range[key] = places.map((i) => at(key, i).includes(null) ? [null, null] : [Math.min(...at(key, i)), Math.max(...at(key, i))]);
    }
    return made;
  });
}

class Chart {
  constructor(home, data) {
    this.data = data;
    this.hidden = new Set();
    this.labels = Object.keys(data.styles).filter((label) => data.lines.some((line) => line.label === label));
    this.seeds = [...new Set(data.lines.map((line) => line.seed))];
    const axis = data.axes.some((other) => other.key === data.axis) ? data.axis : "seconds";
    this.state = { x: axis, y: "top1", seed: this.seeds.length > 1 ? "mean" : "all", logX: false, logY: false, bands: this.labels.length < 7 };
    this.current = null;
    this.tip = element("p", { class: "tip", role: "status" }, "Point at a line, or use the arrow keys on the chart.");
    this.plot = element("div", { class: "plot" });
    home.append(this.controls(), this.chips(), this.plot, this.tip);
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  controls() {
    const bar = element("div", { class: "controls" });
    const choose = (name, text, options) => {
      const select = element("select", { name }, ...options.map(([value, shown]) => element("option", { value }, shown)));
      select.value = this.state[name];
      select.addEventListener("change", () => this.set(name, select.value));
      bar.append(element("label", {}, text, select));
    };
    const tick = (name, text) => {
      const box = element("input", { type: "checkbox", name });
      box.checked = this.state[name];
      box.addEventListener("change", () => this.set(name, box.checked));
      bar.append(element("label", {}, box, text));
    };
    choose("y", "show", this.data.metrics.map((metric) => [metric.key, metric.name]));
    choose("x", "against", this.data.axes.map((axis) => [axis.key, axis.name]));
    if (this.seeds.length > 1) {
      choose("seed", "seeds", [["mean", "mean and range"], ["all", "each"], ...this.seeds.map((seed) => [String(seed), `seed ${seed}`])]);
    }
    tick("logX", "log x");
    tick("logY", "log y");
    tick("bands", "intervals");
    return bar;
  }

  chips() {
    const bar = element("div", { class: "chips", role: "group", "aria-label": "Networks shown" });
    for (const label of this.labels) {
      const style = this.data.styles[label];
      const sample = element("svg", { width: 26, height: 12, viewBox: "-13 -6 26 12", "aria-hidden": "true" }, this.stroke("M-13 0H13", style), this.marker(style, 0, 0));
      const chip = element("button", { type: "button", class: "chip", "aria-pressed": "true" }, sample, label);
      chip.addEventListener("click", () => {
        if (!this.hidden.delete(label)) this.hidden.add(label);
        chip.setAttribute("aria-pressed", String(!this.hidden.has(label)));
        this.draw();
      });
      bar.append(chip);
    }
    return bar;
  }

  set(name, value) {
    this.state[name] = value;
    this.current = null;
    this.draw();
  }

  stroke(path, style) {
    return element("path", { d: path, fill: "none", style: `stroke: var(${style.colour})`, "stroke-width": 2, "stroke-dasharray": style.dash.map((length) => 2 * length).join(" "), "stroke-linejoin": "round" });
  }

  marker(style, x, y) {
    return element("path", { d: MARKERS[style.marker] || MARKERS.o, transform: `translate(${x} ${y})`, style: `fill: var(${style.colour}); stroke: var(--page)` });
  }

  shown() {
    const { lines, axes } = this.data;
    const visible = lines.filter((line) => !this.hidden.has(line.label));
    if (this.state.seed === "mean") return meanOfSeeds(visible, axes.map((axis) => axis.key));
    return visible.filter((line) => this.state.seed === "all" || String(line.seed) === this.state.seed);
  }

  band(line) {
    if (line.range) return line.seeds > 1 ? line.range[this.state.y] : null;
    const single = this.seeds.length === 1 || this.state.seed !== "all";
    return this.state.y === "top1" && single ? line.low.map((low, i) => [low, line.high[i]]) : null;
  }

  points(line) {
    const { x, y, logX, logY } = this.state;
    const fits = (value, log) => value !== null && (!log || value > 0);
    return line[y].map((value, i) => ({ i, x: line[x][i], y: value })).filter((p) => fits(p.x, logX) && fits(p.y, logY));
  }

  range(lines, key, log) {
    const values = lines.flatMap((line) => this.points(line).map((point) => point[key]));
    if (key === "y" && this.state.bands) {
      for (const line of lines) values.push(...(this.band(line) || []).flat().filter((v) => v !== null && (!log || v > 0)));
    }
    const high = Math.max(...values, log ? 1e-12 : 0);
    const low = log ? Math.min(...values, high) : 0;
    return values.length ? [low, high === low ? low * 2 || 1 : high] : [log ? 0.1 : 0, 1];
  }

  draw() {
    const width = this.plot.clientWidth;
    if (!width) return;
    const wide = width > 620;
    const height = wide ? 420 : 300;
    const lines = this.shown();
    const longest = Math.max(0, ...lines.map((line) => line.label.length));
    const box = { left: 46, top: 10, right: wide ? Math.min(190, 24 + 7.6 * longest) : 10, bottom: 44 };
    const { logX, logY } = this.state;
    const [x0, x1] = this.range(lines, "x", logX);
    const [y0, y1] = this.range(lines, "y", logY);
    const scale = (low, high, log, from, to) => (value) => {
      const f = log ? Math.log : (v) => v;
      return from + (f(value) - f(low)) / (f(high) - f(low)) * (to - from);
    };
    this.px = scale(x0, x1, logX, box.left, width - box.right);
    this.py = scale(y0, y1 * (logY ? 1.08 : 1.04), logY, height - box.bottom, box.top);
    const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, height, tabindex: 0, role: "application", "aria-label": this.summary(lines) });
    this.frame(svg, box, width, height, ticksOf(x0, x1, logX, wide ? 8 : 4), ticksOf(y0, y1 * 1.04, logY, 6));
    for (const line of lines) this.line(svg, line);
    if (wide) this.names(svg, lines, height - box.bottom);
    this.focus = element("circle", { r: 8, fill: "none", style: "stroke: var(--ink)", "stroke-width": 2, visibility: "hidden" });
    svg.append(this.focus);
    svg.addEventListener("pointermove", (event) => this.hover(event, svg));
    svg.addEventListener("click", () => this.current && this.jump(this.current.line.row));
    svg.addEventListener("keydown", (event) => this.key(event));
    const hadFocus = this.plot.contains(document.activeElement);
    this.plot.replaceChildren(svg);
    if (hadFocus) svg.focus();
    this.lines = lines;
  }

  summary(lines) {
    const name = (list, key) => list.find((entry) => entry.key === key).name;
    const last = lines.map((line) => { const all = this.points(line); return all.length ? `${line.label} ${short(all.at(-1).y)}` : line.label; });
    return `${name(this.data.metrics, this.state.y)} against ${name(this.data.axes, this.state.x)}. Last: ${last.join(", ")}. Arrow keys read the points.`;
  }

  frame(svg, box, width, height, xs, ys) {
    const [right, bottom] = [width - box.right, height - box.bottom];
    for (const value of ys) {
      svg.append(element("line", { class: "gridline", x1: box.left, x2: right, y1: this.py(value), y2: this.py(value) }));
      svg.append(element("text", { class: "tick", x: box.left - 7, y: this.py(value) + 4, "text-anchor": "end" }, short(value)));
    }
    for (const value of xs) {
      svg.append(element("line", { class: "gridline", x1: this.px(value), x2: this.px(value), y1: box.top, y2: bottom }));
      svg.append(element("text", { class: "tick", x: this.px(value), y: bottom + 17, "text-anchor": "middle" }, short(value)));
    }
    const axis = this.data.axes.find((other) => other.key === this.state.x);
    svg.append(element("text", { class: "tick", x: (box.left + right) / 2, y: height - 6, "text-anchor": "middle" }, axis.name));
    const { chance } = this.data;
    if (this.state.y === "top1" && chance !== null && this.py(chance) > box.top && this.py(chance) <= bottom) {
      svg.append(element("line", { x1: box.left, x2: right, y1: this.py(chance), y2: this.py(chance), style: "stroke: var(--muted)", "stroke-dasharray": "5 4" }));
    }
  }

  line(svg, line) {
    const style = this.data.styles[line.label];
    const points = this.points(line);
    const band = this.state.bands && this.band(line);
    if (band) {
      const upper = points.filter((p) => band[p.i][1] !== null && (!this.state.logY || band[p.i][0] > 0));
      const path = [...upper.map((p) => [p.x, band[p.i][1]]), ...upper.reverse().map((p) => [p.x, band[p.i][0]])];
      if (path.length) svg.append(element("path", { d: this.path(path) + "Z", style: `fill: var(${style.colour})`, opacity: 0.11 }));
    }
    svg.append(this.stroke(this.path(points.map((p) => [p.x, p.y])), style));
    if (points.length < 41) for (const p of points) svg.append(this.marker(style, this.px(p.x), this.py(p.y)));
  }

  path(points) {
    return points.map(([x, y], i) => `${i ? "L" : "M"}${this.px(x).toFixed(1)} ${this.py(y).toFixed(1)}`).join("");
  }

  names(svg, lines, bottom) {
    const ends = new Map();
    for (const line of lines) {
      const last = this.points(line).at(-1);
      if (last && !ends.has(line.label)) ends.set(line.label, { label: line.label, x: this.px(last.x) + 9, y: this.py(last.y) });
    }
    const placed = [...ends.values()].sort((a, b) => a.y - b.y);
    // Push down what overlaps, then push up what fell out below.
    placed.forEach((end, i) => { end.at = Math.max(end.y, i ? placed[i - 1].at + 15 : 0); });
    placed.reverse().forEach((end, i) => { end.at = Math.min(end.at, i ? placed[i - 1].at - 15 : bottom); });
    for (const end of placed) {
      const text = end.label.length > 22 ? `${end.label.slice(0, 12)}…${end.label.slice(-8)}` : end.label;
      svg.append(element("text", { x: end.x, y: end.at + 4, style: "paint-order: stroke; stroke: var(--page); stroke-width: 4px" }, text));
    }
  }

  hover(event, svg) {
    const frame = svg.getBoundingClientRect();
    const [x, y] = [event.clientX - frame.left, event.clientY - frame.top];
    let best = null;
    for (const line of this.lines) {
      for (const point of this.points(line)) {
        const far = Math.hypot(this.px(point.x) - x, this.py(point.y) - y);
        if (!best || far < best.far) best = { far, line, point };
      }
    }
    if (best && best.far < 60) this.tell(best.line, best.point);
  }

  key(event) {
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    const usable = this.lines.filter((line) => this.points(line).length);
    if (event.key === "Enter" && this.current) this.jump(this.current.line.row);
    if (!step || !usable.length) return;
    event.preventDefault();
    const row = this.current ? usable.findIndex((line) => line === this.current.line) : -1;
    const line = usable[row < 0 ? 0 : (row + step[0] + usable.length) % usable.length];
    const points = this.points(line);
    const place = row < 0 ? -1 : points.findIndex((point) => point.i >= this.current.point.i);
    const wanted = (place < 0 ? points.length - 1 : place) + (row < 0 ? 0 : step[1]);
    this.tell(line, points[Math.max(0, Math.min(points.length - 1, wanted))]);
  }

  tell(line, point) {
    this.current = { line, point };
    this.focus.setAttribute("cx", this.px(point.x));
    this.focus.setAttribute("cy", this.py(point.y));
    this.focus.setAttribute("visibility", "visible");
    const seed = line.seeds ? (line.seeds > 1 ? `, mean of ${line.seeds} seeds` : "") : this.seeds.length > 1 ? `, seed ${line.seed}` : "";
    const counts = line.correct ? ` (${line.correct[point.i]} of ${line.total[point.i]}, 95 % interval ${short(line.low[point.i])} to ${short(line.high[point.i])} %)` : "";
    const at = this.data.axes.map((axis) => `${short(line[axis.key][point.i])} ${axis.name}`).join(", ");
    const loss = (key) => line[key][point.i] === null ? "not finite" : short(line[key][point.i]);
    const link = element("a", { href: `#${line.row}` }, "row");
    this.tip.replaceChildren(element("strong", {}, line.label), `${seed}: ${short(line.top1[point.i])} % right${counts}, test loss ${loss("test_loss")}, running train loss ${loss("train_loss")}, after ${at} · `, link);
  }

  jump(row) {
    if (document.getElementById(row)) location.hash = row;
  }
}

// A button puts the chart in the place of the still pictures, and the pictures back.
function offerChart(source) {
  const [home, still] = ["chart", "still"].map((id) => document.getElementById(id));
  const button = element("button", { type: "button", class: "choose", "aria-controls": "chart" }, "Choose axes");
  let chart = null;
  button.addEventListener("click", () => {
    home.hidden = !home.hidden;
    still.hidden = !home.hidden;
    button.textContent = home.hidden ? "Choose axes" : "Back to the pictures";
    chart ??= new Chart(home, JSON.parse(source.textContent));
  });
  home.before(element("div", { class: "controls" }, button));
}

document.querySelectorAll("table.sortable").forEach(sortable);
document.querySelectorAll("table[data-filter]").forEach(filterable);
const source = document.getElementById("chart-data");
if (source) offerChart(source);
window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((details) => { details.open = true; }));
