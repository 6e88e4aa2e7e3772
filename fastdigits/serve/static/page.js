// Connect the canvas, the buttons and the keyboard with the server and the view of its answers.

import { Camera } from "./camera.js";
import { Drawing } from "./drawing.js";
import { Lessons } from "./lessons.js";
import { showMaps } from "./maps.js";
import { models, readsNumbers, Recognizer } from "./server.js";
import { choosePalette, clearAnswer, showAnswer, textOf } from "./view.js";

const NOTHING = "Nothing yet.";
const READING = "Reading …";
const NO_MAPS = "The output of each layer appears while you draw.";
const NO_DIGIT_MAPS = "They appear for single digits only: a number is read by a network of its own.";
const NO_LAYERS = "This network has no hidden layers.";
const MAX_NAMES = 4; // of classes

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
  camera.end();
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
  if (drawing.empty) forget(NOTHING);
  else if (modelInfo()) recognizer.recognize(picture, modelInfo());
}

function show(answer, milliseconds) {
  showMaps(answer.single?.features ?? [], answer.single ? NO_LAYERS : NO_DIGIT_MAPS);
  return showAnswer(answer, milliseconds);
}

/** Remove the answer and say why. */
function forget(message) {
  recognizer.cancel();
  lastAnswer = null;
  clearAnswer(modelInfo()?.classes);
  showMaps([], NO_MAPS);
  lessons?.offer("");
  setVerdict(message);
}

/** Show a sentence, and let screen readers announce it, except during a stroke. */
function setVerdict(sentence) {
  at("verdict").setAttribute("aria-live", finished ? "polite" : "off");
  at("verdict").textContent = sentence;
}

/** Open one of the files that someone chose, pasted or dropped. */
async function open(files) {
  const [file] = files;
  if (!file) return reject("This is no file; drop a picture.");
  if (files.length > 1) return reject(`These are ${files.length} files; open one picture at a time.`);
  try {
    const bitmap = await createImageBitmap(file);
    forget(READING);
    drawing.open({ bitmap, file });
  } catch {
    const problem = file.type.startsWith("image/") ? "This picture cannot be shown" : `${file.name} is no picture`;
    reject(`${problem}; try a PNG or JPEG file.`);
  }
}

/** Clear the paper and say why. */
function reject(message) {
  camera.end();
  drawing.clear();
  forget(message);
}

const modelInfo = () => modelSelect.selectedOptions[0]?.info;

function describeModel() {
  const { parameters, test_accuracy: accuracy, architecture } = modelInfo();
  const suffix = accuracy === null ? "" : `, ${(100 * accuracy).toFixed(2)} % accuracy on its test images`;
  at("facts").textContent = `${architecture}: ${parameters.toLocaleString("en")} parameters${suffix}`;
  at("hint").textContent = `Draw ${readsNumbers(modelInfo()) ? "a digit or a number" : choice(modelInfo().classes)} here`;
}

/** Return names as a choice: "a, b or c", the middle ones left out if there are many. */
function choice(names) {
  const first = names.length > MAX_NAMES ? [...names.slice(0, MAX_NAMES - 1), "…"] : names.slice(0, -1);
  return `${first.join(", ")} or ${names.at(-1)}`;
}

function onModelChange() {
  describeModel();
  forget(READING);
  recognize();
  lessons?.refresh();
}

async function loadModels() {
  try {
    const answer = await models();
    for (const info of answer.models) {
      const { name, architecture } = info; // the names of the file and of its network
      const option = new Option(name === architecture ? name : `${name} (${architecture})`, info.index);
      option.info = info;
      modelSelect.add(option);
    }
    describeModel();
    recognize(); // what was drawn meanwhile
    if (answer.learning) lessons = new Lessons(picture, modelInfo, recognize);
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
  if (target.files.length) open(target.files);
  target.value = ""; // so that the same file triggers the event again
});
modelSelect.addEventListener("change", onModelChange);
document.addEventListener("keydown", onKey);
document.addEventListener("paste", ({ clipboardData: { files } }) => files.length && open(files));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", () => document.body.classList.remove("dropping"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  open(event.dataTransfer.files);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  choosePalette();
  drawing.draw();
  if (lastAnswer) show(...lastAnswer);
  lessons?.refresh();
});

clearAnswer();
loadModels();
