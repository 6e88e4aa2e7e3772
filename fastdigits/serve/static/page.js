// Connect the canvas, the buttons and the keyboard with the server and the view of its answers.

import { Camera } from "./camera.js";
import { Drawing } from "./drawing.js";
import { Lessons } from "./lessons.js";
import { showMaps } from "./maps.js";
import { models, Recognizer } from "./server.js";
import { clearAnswer, showAnswer, textOf } from "./view.js";

const at = (id) => document.getElementById(id);
const modelSelect = at("model");
let lessons = null; // if the server learns
let finished = true; // false during a stroke
let lastAnswer = null; // with its time in milliseconds

const recognizer = new Recognizer(
  (answer, milliseconds) => {
    lastAnswer = [answer, milliseconds];
    setVerdict(show(...lastAnswer));
    lessons?.offer(textOf(answer));
  },
  forget,
);

const drawing = new Drawing(at("paper"), (isFinished) => {
  finished = isFinished;
  document.body.classList.toggle("drawn", !drawing.empty);
  at("undo").disabled = !drawing.history.length;
  at("clear").disabled = drawing.empty;
  recognize();
});

const camera = new Camera(
  at("video"),
  (frame) => recognizer.recognize(async () => frame, modelInfo()),
  (bitmap, frame) => drawing.open({ bitmap, file: frame }),
  forget,
);

/** Return what the camera sees or what is on the paper as a Blob. */
const picture = async () => camera.latest ?? drawing.picture?.file ?? drawing.png();

function recognize() {
  if (drawing.empty) forget("Nothing yet.");
  else recognizer.recognize(picture, modelInfo());
}

function show(answer, milliseconds) {
  showMaps(answer.single?.features ?? []);
  return showAnswer(answer, milliseconds);
}

/** Remove the answer and say why. */
function forget(message) {
  recognizer.cancel();
  lastAnswer = null;
  clearAnswer();
  showMaps([]);
  lessons?.offer("");
  setVerdict(message);
}

/** Show a sentence, and let screen readers announce it, except during a stroke. */
function setVerdict(sentence) {
  at("verdict").setAttribute("aria-live", finished ? "polite" : "off");
  at("verdict").textContent = sentence;
}

async function open(file) {
  if (!file) return;
  try {
    drawing.open({ bitmap: await createImageBitmap(file), file });
  } catch {
    drawing.clear();
    const isPicture = file.type.startsWith("image/");
    forget(isPicture ? "This picture cannot be shown; try a PNG or JPEG file." : `${file.name} is no picture; try a PNG or JPEG file.`);
  }
}

const modelInfo = () => modelSelect.selectedOptions[0].info;

function describeModel() {
  const { parameters, test_accuracy: accuracy, architecture } = modelInfo();
  const suffix = accuracy === null ? "" : `, ${(100 * accuracy).toFixed(2)} % accuracy on MNIST`;
  at("facts").textContent = `${architecture}: ${parameters.toLocaleString("en")} parameters${suffix}`;
}

function onModelChange() {
  describeModel();
  if (!drawing.empty) recognize();
}

async function loadModels() {
  try {
    const answer = await models();
    for (const info of answer.models) {
      const option = new Option(info.name, info.index);
      option.info = info;
      modelSelect.add(option);
    }
    describeModel();
    if (answer.learning) lessons = new Lessons(picture, () => modelSelect.value, recognize);
  } catch (error) {
    setVerdict(error.message);
  }
}

function onKey(event) {
  if (event.target.matches("select, input")) return;
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (!plain && event.key.toLowerCase() === "z" && drawing.history.length) drawing.undo();
  else if (plain && event.key === "Escape") drawing.clear();
  else if (plain && event.key.toLowerCase() === "n") {
    modelSelect.selectedIndex = (modelSelect.selectedIndex + 1) % modelSelect.length;
    onModelChange();
  } else return;
  event.preventDefault();
}

at("undo").addEventListener("click", () => drawing.undo());
at("clear").addEventListener("click", () => drawing.clear());
at("eraser").addEventListener("click", ({ currentTarget }) => {
  drawing.erasing = !drawing.erasing;
  currentTarget.setAttribute("aria-pressed", drawing.erasing);
  document.body.classList.toggle("erasing", drawing.erasing);
});
at("brush").addEventListener("input", ({ target }) => (drawing.brush = Number(target.value)));
at("camera").hidden = !Camera.exists;
at("camera").addEventListener("click", () => camera.toggle(at("camera")));
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

clearAnswer();
loadModels();
