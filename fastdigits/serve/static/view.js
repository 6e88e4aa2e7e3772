// Show the answer of the server: the digit or the number, the probabilities, the network's input and its feature maps.

const MAX_LARGE_MAPS = 8; // of a layer; more are shown smaller
const NO_BARS = Array.from({ length: 10 }, (_, digit) => [digit, undefined, false]);
const UNITS_PER_ROW = 32; // of a dense layer

let palette = ["--map-low", "--map-high"].map(cssColor); // RGB colors of the lowest and the highest level of feature maps, from the page's color scheme

const at = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(share < 0.0005 || share > 0.9995 ? 0 : 1)}\u00a0%`;

/** Show an answer and return it as a sentence. */
export function showAnswer(answer, milliseconds) {
  palette = ["--map-low", "--map-high"].map(cssColor);
  at("timing").textContent = `answered in ${milliseconds.toFixed(0)} ms`;
  const isNumber = !answer.single;
  document.body.classList.toggle("is-number", isNumber);
  document.body.classList.toggle("doubt", isNumber ? answer.unsure : answer.single.unsure);
  return isNumber ? showNumber(answer) : showSingle(answer.single);
}

/** The text that an answer shows, as someone would correct it. */
export const textOf = ({ text, single }) => (single ? String(single.digit) : text.split("\n").join(" "));

function showSingle({ digit, confidence, second, unsure, no_digit: noDigit, probabilities, image, features }) {
  showDigit(unsure ? "?" : String(digit), unsure ? "unsure" : "sure");
  showBars(probabilities.map((share, label) => [label, share, label === digit]));
  showPixels(at("seen"), image.flat(), 28, 28);
  showMaps(features);
  if (noDigit > 0.5 && unsure) return "This looks like no digit.";
  return unsure ? `Not sure: perhaps ${digit} or ${second}.` : `A ${digit}, ${sure(confidence)}.`;
}

function showNumber({ text, confidence, unsure, digits }) {
  showDigit(text || "?", `number ${unsure ? "unsure" : "sure"}`);
  showBars(digits.map(({ digit, confidence: share }) => [digit, share, true]));
  showMaps([]);
  if (!text) return "There is no number here.";
  const spoken = text.split("\n").join(" and ");
  return unsure ? `Not sure: perhaps ${spoken}.` : `${spoken}, ${sure(confidence)}.`;
}

const sure = (confidence) => `${confidence > 0.9995 ? "over 99.9\u00a0%" : percent(confidence)} sure`;

export function clearAnswer() {
  showDigit("", "");
  at("timing").textContent = "";
  document.body.classList.remove("doubt", "is-number");
  showBars(NO_BARS);
  const seen = at("seen");
  seen.getContext("2d").clearRect(0, 0, seen.width, seen.height);
  showMaps([]);
}

function showDigit(text, kind) {
  const digit = at("digit");
  if (digit.textContent === text && digit.dataset.kind === kind) return;
  digit.textContent = text;
  digit.className = digit.dataset.kind = kind;
  if (!kind) return;
  void digit.offsetWidth; // forces a reflow, which restarts the animation
  digit.classList.add("new");
}

/** Show a bar for each [label, probability, whether it is highlighted]. */
function showBars(bars) {
  const list = at("bars");
  while (list.children.length > bars.length) list.lastChild.remove();
  while (list.children.length < bars.length) {
    const row = document.createElement("li");
    row.innerHTML = `<span></span><div class="track"><div class="bar"></div></div><span class="share"></span>`;
    list.append(row);
  }
  bars.forEach(([label, share, highlighted], number) => {
    const row = list.children[number];
    row.classList.toggle("first", highlighted);
    row.firstChild.textContent = label;
    row.querySelector(".bar").style.width = share > 0.005 ? `${100 * share}%` : 0;
    row.querySelector(".share").textContent = share === undefined ? "" : percent(share);
  });
}

function showMaps(features) {
  const maps = at("maps");
  at("no-maps").hidden = features.length > 0;
  while (maps.children.length > features.length) maps.lastChild.remove();
  features.forEach((feature, number) => {
    const figure = maps.children[number] ?? maps.appendChild(createFigure());
    showLayer(figure, feature);
  });
}

function createFigure() {
  const figure = document.createElement("figure");
  figure.innerHTML = `<figcaption><b></b><span></span></figcaption><div class="tiles" aria-hidden="true"></div>`;
  return figure;
}

function showLayer(figure, { layer, shape, total, levels }) {
  const bytes = Uint8Array.from(atob(levels), (character) => character.charCodeAt(0));
  const [caption, tiles] = figure.children;
  const dense = shape.length === 1;
  const [count, rows, columns] = dense ? [1, Math.ceil(shape[0] / UNITS_PER_ROW), Math.min(shape[0], UNITS_PER_ROW)] : shape;
  const size = dense ? `${total} units` : `${total} maps of ${rows} × ${columns}`;
  const note = total > shape[0] ? `, first ${shape[0]} shown` : "";
  caption.firstChild.textContent = layer;
  caption.lastChild.textContent = ` ${size}${note}`;
  while (tiles.children.length > count) tiles.lastChild.remove();
  while (tiles.children.length < count) tiles.append(document.createElement("canvas"));
  tiles.className = `tiles ${dense ? "units" : count > MAX_LARGE_MAPS ? "" : "few"}`;
  [...tiles.children].forEach((tile, number) => {
    showPixels(tile, bytes.subarray(number * rows * columns, (number + 1) * rows * columns), rows, columns);
  });
}

/** Draw levels from 0 to 255 in the colors of the palette. */
export function showPixels(canvas, levels, rows, columns) {
  if (canvas.width !== columns) canvas.width = columns;
  if (canvas.height !== rows) canvas.height = rows;
  const [low, high] = palette;
  const image = new ImageData(columns, rows);
  for (let i = 0; i < levels.length; i++) {
    const share = levels[i] / 255;
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = low[c] + (high[c] - low[c]) * share;
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Return the value #rrggbb of a CSS variable as RGB levels. */
function cssColor(name) {
  const text = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return [1, 3, 5].map((start) => parseInt(text.slice(start, start + 2), 16));
}
