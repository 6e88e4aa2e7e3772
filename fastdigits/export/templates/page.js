// Connect the canvas, the buttons and the keyboard with the network. Drawing, PNG_SIDE and drawStrokes come from
// drawing.js, and createBars, showAnswer, clearAnswer and at from view.js, which precede this in the page.

let network = null;
let finished = true; // false during a stroke
let isPlanned = false; // whether the drawing is read before the browser draws its next frame
let lastAnswer = null; // with its time in milliseconds

const drawing = new Drawing(at("paper"), (isFinished) => {
  finished = isFinished;
  document.body.classList.toggle("drawn", !drawing.empty);
  at("undo").disabled = at("clear").disabled = drawing.empty;
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
  const { probabilities, digit, second, unsure } = network.predict(image);
  const confidence = probabilities[digit];
  lastAnswer = [{ digit, second, unsure, confidence, probabilities, image: [...image] }, performance.now() - start];
  setVerdict(showAnswer(...lastAnswer));
}

/** Return the drawing as numbers from 0 to 1. */
function ink() {
  const canvas = new OffscreenCanvas(PNG_SIDE, PNG_SIDE);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  drawStrokes(context, drawing.strokes, PNG_SIDE, "#000");
  const { data } = context.getImageData(0, 0, PNG_SIDE, PNG_SIDE);
  return new Field(PNG_SIDE, PNG_SIDE, Float32Array.from({ length: PNG_SIDE ** 2 }, (_, index) => data[4 * index + 3] / 255));
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
  if (!plain && event.key.toLowerCase() === "z" && !drawing.empty) drawing.undo();
  else if (plain && event.key === "Escape") drawing.clear();
  else return;
  event.preventDefault();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  drawing.draw();
  if (lastAnswer) showAnswer(...lastAnswer);
});

createBars();
try {
  network = await readNetwork();
  recognize();
} catch (error) {
  setVerdict(`The network cannot be read; open the page in a browser of 2023 or later. (${error.message})`);
}
