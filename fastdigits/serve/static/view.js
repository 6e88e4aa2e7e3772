// Show an answer: the digit or the number, the probabilities, and the network's input.

const DIGITS = [..."0123456789"];
const NO_BARS = DIGITS.map((digit) => [digit, undefined, false]);
const MAX_BARS = 12; // classes of which all have a bar
const MOST_PROBABLE = 10; // bars if there are more

let palette = ["--map-low", "--map-high"].map(cssColor); // RGB colors of the lowest and the highest level of pixels, from the page's color scheme

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

/** The text that an answer shows, as someone would correct it; "" if it is no digit. */
export const textOf = ({ text, single }) => (single ? String(single.digit ?? "") : text.split("\n").join(" "));

function showSingle(answer) {
  const { digit, label = String(digit), classes = DIGITS, confidence, second, unsure, no_digit: noDigit } = answer;
  showDigit(unsure ? "?" : label, unsure ? "unsure" : "sure");
  showBars(barsOf(classes, answer.probabilities, label));
  showPixels(at("seen"), answer.image.flat(), 28, 28);
  if (noDigit > 0.5 && unsure) return "This looks like no digit.";
  const article = digit === undefined ? "" : "A ";
  return unsure ? `Not sure: perhaps ${label} or ${second}.` : `${article}${label}, ${sure(confidence)}.`;
}

/** Return a bar for each class, or for the most probable ones if there are many. */
function barsOf(names, probabilities, first) {
  const bars = names.map((name, number) => [name, probabilities[number], name === first]);
  return names.length > MAX_BARS ? bars.sort((one, other) => other[1] - one[1]).slice(0, MOST_PROBABLE) : bars;
}

function showNumber({ text, confidence, unsure, digits }) {
  showDigit(text || "?", `number ${unsure ? "unsure" : "sure"}`);
  showBars(digits.map(({ digit, confidence: share }) => [digit, share, true]));
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
