// Connect the canvas, the buttons and the keyboard with the network. Drawing, PNG_HEIGHT and drawStrokes come from
// drawing.js, and showAnswer, choosePalette, clearAnswer and at from view.js, which precede this in the page.

let network = null;
let finished = true; // false during a stroke
let isPlanned = false; // whether the drawing is read before the browser draws its next frame
let lastAnswer = null; // with its time in milliseconds

const drawing = new Drawing(at("paper"), (isFinished) => {
  finished = isFinished;
  document.body.classList.toggle("drawn", !drawing.empty);
  at("undo").disabled = !drawing.history.length;
  at("clear").disabled = drawing.empty;
  if (!isPlanned) requestAnimationFrame(recognize);
  isPlanned = true;
});

function recognize() {
  isPlanned = false;
  if (!network) return;
  const start = performance.now();
  const image = toMnistFormat(ink());
  if (!image) {
    lastAnswer = null;
    clearAnswer();
    setVerdict("Nothing yet.");
    return;
  }
  const { probabilities, digit, second, unsure, noDigit } = network.predict(image);
  const confidence = probabilities[digit];
  const single = { digit, second, unsure, confidence, probabilities, no_digit: noDigit, image: [...image] };
  lastAnswer = [{ single }, performance.now() - start];
  setVerdict(showAnswer(...lastAnswer));
}

/** Return the drawing as numbers from 0 to 1. */
function ink() {
  const [rows, columns] = [PNG_HEIGHT, Math.round(PNG_HEIGHT * drawing.aspect)];
  const context = new OffscreenCanvas(columns, rows).getContext("2d", { willReadFrequently: true });
  drawStrokes(context, drawing.strokes, PNG_HEIGHT, "#000");
  const { data } = context.getImageData(0, 0, columns, rows);
  return new Field(rows, columns, Float32Array.from({ length: rows * columns }, (_, index) => data[4 * index + 3] / 255));
}

/** Show a sentence, and let screen readers announce it, except during a stroke. */
function setVerdict(sentence) {
  at("verdict").setAttribute("aria-live", finished ? "polite" : "off");
  at("verdict").textContent = sentence;
}

at("undo").addEventListener("click", () => drawing.undo());
at("clear").addEventListener("click", () => drawing.clear());
document.addEventListener("keydown", (event) => {
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (!plain && event.key.toLowerCase() === "z" && drawing.history.length) drawing.undo();
  else if (plain && event.key === "Escape") drawing.clear();
  else return;
  event.preventDefault();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  choosePalette();
  drawing.draw();
  if (lastAnswer) showAnswer(...lastAnswer);
});

clearAnswer();
try {
  network = await readNetwork();
  recognize();
} catch (error) {
  setVerdict(`The network cannot be read; open the page in a browser of 2023 or later. (${error.message})`);
}
