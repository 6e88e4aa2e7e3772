// Connect the canvas, the buttons and the keyboard with the server and the view of its answers.

import { Drawing } from "./drawing.js";
import { showMaps } from "./maps.js";
import { models, Recognizer } from "./server.js";
import { clearAnswer, createBars, showAnswer } from "./view.js";

const at = (id) => document.getElementById(id);
const modelSelect = at("model");
let file = null; // the picture file on the canvas
let finished = true; // false during a stroke
let lastAnswer = null; // with its time in milliseconds

const recognizer = new Recognizer(
  (answer, milliseconds) => {
    lastAnswer = [answer, milliseconds];
    setVerdict(show(...lastAnswer));
  },
  (message) => {
    clear();
    setVerdict(message);
  },
);

const drawing = new Drawing(at("paper"), (isFinished) => {
  finished = isFinished;
  if (!drawing.picture) file = null;
  document.body.classList.toggle("drawn", !drawing.empty);
  at("undo").disabled = at("clear").disabled = drawing.empty;
  recognize();
});

function recognize() {
  if (drawing.empty) {
    recognizer.cancel();
    lastAnswer = null;
    clear();
    setVerdict("Nothing yet.");
  } else {
    recognizer.recognize(file ? async () => file : () => drawing.png(), modelSelect.value);
  }
}

function show(answer, milliseconds) {
  const sentence = showAnswer(answer, milliseconds);
  showMaps(answer.features);
  return sentence;
}

function clear() {
  clearAnswer();
  showMaps([]);
}

/** Show a sentence, and let screen readers announce it, except during a stroke. */
function setVerdict(sentence) {
  at("verdict").setAttribute("aria-live", finished ? "polite" : "off");
  at("verdict").textContent = sentence;
}

async function open(newFile) {
  if (!newFile?.type.startsWith("image/")) return;
  try {
    const picture = await createImageBitmap(newFile);
    file = newFile;
    drawing.open(picture);
  } catch {
    setVerdict("This picture cannot be shown; try a PNG or JPEG file.");
  }
}

function describeModel() {
  const { parameters, test_accuracy: accuracy, architecture } = modelSelect.selectedOptions[0].info;
  const suffix = accuracy === null ? "" : `, ${(100 * accuracy).toFixed(2)} % accuracy on MNIST`;
  at("facts").textContent = `${architecture}: ${parameters.toLocaleString("en")} parameters${suffix}`;
}

function onModelChange() {
  describeModel();
  if (!drawing.empty) recognize();
}

async function loadModels() {
  try {
    for (const info of await models()) {
      const option = new Option(info.name, info.index);
      option.info = info;
      modelSelect.add(option);
    }
    describeModel();
  } catch (error) {
    setVerdict(error.message);
  }
}

function onKey(event) {
  if (event.target.matches("select, input")) return;
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (!plain && event.key.toLowerCase() === "z" && !drawing.empty) drawing.undo();
  else if (plain && event.key === "Escape") drawing.clear();
  else if (plain && event.key.toLowerCase() === "n") {
    modelSelect.selectedIndex = (modelSelect.selectedIndex + 1) % modelSelect.length;
    onModelChange();
  } else return;
  event.preventDefault();
}

at("undo").addEventListener("click", () => drawing.undo());
at("clear").addEventListener("click", () => drawing.clear());
at("file").addEventListener("change", ({ target }) => {
  open(target.files[0]);
  target.value = ""; // so that the same file triggers the event again
});
modelSelect.addEventListener("change", onModelChange);
document.addEventListener("keydown", onKey);
document.addEventListener("paste", (event) => open(event.clipboardData.files[0]));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", () => document.body.classList.remove("dropping"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  open(event.dataTransfer.files[0]);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  drawing.draw();
  if (lastAnswer) show(...lastAnswer);
});

createBars();
loadModels();
