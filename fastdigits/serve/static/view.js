// Show an answer: the digit, the probabilities and the network's input.

const DIGITS = [..."0123456789"];
const MAX_BARS = 12; // classes of which all have a bar
const MOST_PROBABLE = 10; // bars if there are more

let palette; // RGB colors of the lowest and the highest level of pixels, from the page's color scheme

const at = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(share < 0.0005 || share > 0.9995 ? 0 : 1)}\u00a0%`;

export function createBars() {
  setBars(DIGITS);
  showBars([]);
}

/** Create a bar for each name. */
function setBars(names) {
  const rows = [...at("bars").children];
  if (rows.length === names.length && rows.every((row, number) => row.firstChild.textContent === names[number])) return;
  at("bars").replaceChildren(
    ...names.map((name) => {
      const row = document.createElement("li");
      row.innerHTML = `<span></span><div class="track"><div class="bar"></div></div><span class="share"></span>`;
      row.firstChild.textContent = name;
      return row;
    }),
  );
}

/** Return the names and probabilities of all classes, or of the most probable ones if there are many. */
function shownClasses(names, probabilities) {
  const classes = names.map((name, number) => [name, probabilities[number]]);
  if (names.length > MAX_BARS) classes.sort((one, other) => other[1] - one[1]).splice(MOST_PROBABLE);
  return [classes.map(([name]) => name), classes.map(([, share]) => share)];
}

export function showAnswer(answer, milliseconds) {
  const { digit, confidence, second, unsure, label = String(digit), classes = DIGITS } = answer;
  const [names, probabilities] = shownClasses(classes, answer.probabilities);
  palette = ["--map-low", "--map-high"].map(cssColor);
  showDigit(unsure ? "?" : label, unsure ? "unsure" : "sure");
  at("timing").textContent = `answered in ${milliseconds.toFixed(0)} ms`;
  document.body.classList.toggle("doubt", unsure);
  setBars(names);
  showBars(probabilities);
  showPixels(at("seen"), answer.image.flat(), 28, 28);
  const article = digit === undefined ? "" : "A ";
  return unsure ? `Not sure: perhaps ${label} or ${second}.` : `${article}${label}, ${confidence > 0.9995 ? "over 99.9\u00a0%" : percent(confidence)} sure.`;
}

export function clearAnswer() {
  showDigit("", "");
  at("timing").textContent = "";
  document.body.classList.remove("doubt");
  showBars([]);
  const seen = at("seen");
  seen.getContext("2d").clearRect(0, 0, seen.width, seen.height);
}

function showDigit(text, kind) {
  const digit = at("digit");
  if (digit.textContent === text && digit.classList.contains(kind || "none")) return;
  digit.textContent = text;
  digit.className = kind;
  if (!kind) return;
  void digit.offsetWidth; // forces a reflow, which restarts the animation
  digit.classList.add("new");
}

function showBars(probabilities) {
  const highest = Math.max(...probabilities);
  [...at("bars").children].forEach((row, digit) => {
    const share = probabilities[digit];
    row.classList.toggle("first", share === highest);
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
