// The page: paper, buttons and keys on one side, answers on the other.

import { Drawing } from "./drawing.js";
import { models, Reader } from "./server.js";
import { makeBars, showAnswer, showNothing } from "./view.js";

const at = (id) => document.getElementById(id);
const choice = at("model");
let file = null; // the picture that has been opened
let finished = true; // no stroke is under way
let last = null; // answer

const reader = new Reader(
  (answer, milliseconds) => {
    last = [answer, milliseconds];
    say(showAnswer(...last));
  },
  (sentence) => {
    showNothing();
    say(sentence);
  },
);

const drawing = new Drawing(at("paper"), (isFinished) => {
  finished = isFinished;
  if (!drawing.picture) file = null;
  document.body.classList.toggle("drawn", !drawing.empty);
  at("undo").disabled = at("clear").disabled = drawing.empty;
  read();
});

function read() {
  if (drawing.empty) {
    reader.forget();
    last = null;
    showNothing();
    say("Nothing yet.");
  } else {
    reader.read(file ? async () => file : () => drawing.png(), choice.value);
  }
}

/** Say it to those who listen as well, but not in the middle of a stroke. */
function say(sentence) {
  at("verdict").setAttribute("aria-live", finished ? "polite" : "off");
  at("verdict").textContent = sentence;
}

async function open(candidate) {
  if (!candidate?.type.startsWith("image/")) return;
  try {
    const picture = await createImageBitmap(candidate);
    file = candidate;
    drawing.open(picture);
  } catch {
    say("This picture cannot be shown; try a PNG or JPEG file.");
  }
}

function describe() {
  const { parameters, test_accuracy: accuracy, architecture } = choice.selectedOptions[0].facts;
  const reached = accuracy === null ? "" : `, ${(100 * accuracy).toFixed(2)} % right on MNIST`;
  at("facts").textContent = `${architecture}: ${parameters.toLocaleString("en")} parameters${reached}`;
}

function choose() {
  describe();
  if (!drawing.empty) read();
}

async function offer() {
  try {
    for (const facts of await models()) {
      const option = new Option(facts.name, facts.index);
      option.facts = facts;
      choice.add(option);
    }
    describe();
  } catch (error) {
    say(error.message);
  }
}

function key(event) {
  if (event.target.matches("select, input")) return;
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (!plain && event.key.toLowerCase() === "z" && !drawing.empty) drawing.undo();
  else if (plain && event.key === "Escape") drawing.clear();
  else if (plain && event.key.toLowerCase() === "n") {
    choice.selectedIndex = (choice.selectedIndex + 1) % choice.length;
    choose();
  } else return;
  event.preventDefault();
}

at("undo").addEventListener("click", () => drawing.undo());
at("clear").addEventListener("click", () => drawing.clear());
at("file").addEventListener("change", ({ target }) => {
  open(target.files[0]);
  target.value = ""; // so that the same file can be opened again
});
choice.addEventListener("change", choose);
document.addEventListener("keydown", key);
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
  if (last) showAnswer(...last);
});

makeBars();
offer();
