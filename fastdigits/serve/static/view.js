// Show an answer: the digit, the class or the number, the probabilities, and the network's input.

const DIGITS = [..."0123456789"];
const NO_DIGIT = "no digit"; // the name of a class
const MAX_BARS = 12; // classes of which all have a bar
const MOST_PROBABLE = 10; // bars if there are more

let palette; // RGB colors of the lowest and the highest level of pixels

const at = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(share < 0.0005 || share > 0.9995 ? 0 : 1)}\u00a0%`;

/** Show an answer and return it as a sentence. */
export function showAnswer(answer, milliseconds) {
  at("timing").textContent = `answered in ${milliseconds.toFixed(0)} ms`;
  const isNumber = !answer.single;
  document.body.classList.toggle("is-number", isNumber);
  document.body.classList.toggle("doubt", isNumber ? answer.unsure : answer.single.unsure);
  return isNumber ? showNumber(answer) : showSingle(answer.single);
}

/** Take the colors of pixels from the page's color scheme. */
export function choosePalette() {
  palette = ["--map-low", "--map-high"].map(cssColor);
}

/** The text that an answer shows, as someone would correct it; "" if it is no digit. */
export function textOf({ text, single }) {
  if (!single) return text.split("\n").join(" ");
  return typeof single.digit === "number" ? String(single.digit) : "";
}

function showSingle(answer) {
  const { digit, label = String(digit), classes = DIGITS, confidence, second, unsure, no_digit: noDigit } = answer;
  showDigit(unsure ? "?" : label, unsure ? "unsure" : "sure");
  showPixels(at("seen"), answer.image.flat(), 28, 28);
  if (noDigit > 0.5 && unsure) {
    const shares = answer.probabilities.map((share) => share * (1 - noDigit));
    showBars(barsOf([...classes, NO_DIGIT], [...shares, noDigit], NO_DIGIT));
    return "This looks like no digit.";
  }
  showBars(barsOf(classes, answer.probabilities, label));
  return unsure ? `Not sure: perhaps ${label} or ${second}.` : `${named(label, digit)}, ${sure(confidence)}.`;
}

/** Return a class as the beginning of a sentence. */
function named(label, digit) {
  if (label === NO_DIGIT) return "No digit";
  if (digit === undefined) return label;
  return digit === 8 ? "An 8" : `A ${digit}`;
}

/** Return a bar for each class, or for the most probable ones if there are many. */
function barsOf(names, probabilities, first) {
  const bars = names.map((name, number) => [name, probabilities[number], name === first]);
  return names.length > MAX_BARS ? bars.sort((one, other) => other[1] - one[1]).slice(0, MOST_PROBABLE) : bars;
}

/** Return a bar without a probability for each class; without names if it is open which ones will have a bar. */
function emptyBars(names) {
  const shown = names.length > MAX_BARS ? Array(MOST_PROBABLE).fill("") : names;
  return shown.map((name) => [name, undefined, false]);
}

function showNumber({ text, confidence, unsure, digits }) {
  showDigit(text || "?", `number ${unsure ? "unsure" : "sure"}`);
  showBars(digits.map(({ digit, confidence: share }) => [digit, share, true]));
  if (!text) return "There is no number here.";
  const spoken = text.split("\n").join(" and ");
  return unsure ? `Not sure: perhaps ${spoken}.` : `${spoken}, ${sure(confidence)}.`;
}

const sure = (confidence) => `${confidence > 0.9995 ? "over 99.9\u00a0%" : percent(confidence)} sure`;

/** Remove the answer; the next one is about classes of these names. */
export function clearAnswer(classes = DIGITS) {
  showDigit("", "");
  at("timing").textContent = "";
  document.body.classList.remove("doubt", "is-number");
  showBars(emptyBars(classes));
  const seen = at("seen");
  seen.getContext("2d").clearRect(0, 0, seen.width, seen.height);
}

function showDigit(text, kind) {
  const digit = at("digit");
  if (digit.textContent === text && digit.dataset.kind === kind) return;
  digit.textContent = text;
  digit.style.setProperty("--length", Math.max(...text.split("\n").map((line) => line.length), 1));
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
    row.firstChild.textContent = row.firstChild.title = label;
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

choosePalette();
