// Corrections: say what a picture really shows, teach the network, undo that, and delete what was kept.

import { correct, corrections, readsNumbers, remove, teach, undo } from "./server.js";
import { showPixels } from "./view.js";

const MAX_SHOWN = 24;
const POLL_MS = 500; // while the server prepares

const at = (id) => document.getElementById(id);
const counted = (count) => `${count} ${count === 1 ? "correction" : "corrections"}`;

export class Lessons {
  /** `picture()` returns the drawing and `model()` the selected network; `onLesson()` is called when its weights change. */
  constructor(picture, model, onLesson) {
    Object.assign(this, { picture, model, onLesson });
    at("lessons").hidden = false;
    at("correct").addEventListener("submit", (event) => {
      event.preventDefault();
      this.correct(at("truth").value.trim());
    });
    at("teach").addEventListener("click", () => this.teach());
    at("forget").addEventListener("click", () => this.undo());
    at("delete-all").addEventListener("click", () => confirm("Delete all corrections?") && this.delete());
    this.refresh();
  }

  /** Offer to correct an answer, or none if it is empty. */
  offer(text) {
    at("correct").hidden = !text;
    if (document.activeElement !== at("truth")) at("truth").value = text;
  }

  correct(text) {
    return this.change(async () => {
      const { ids } = await correct(await this.picture(), text, this.model().index);
      const digits = ids.length === 1 ? "The digit is" : `${ids.length} digits are`;
      return `${digits} kept as ${text}. Teach the network to use ${ids.length === 1 ? "it" : "them"}.`;
    });
  }

  /** Delete the correction with an id, or all. */
  delete(id) {
    return this.change(async () => {
      await remove(id);
      return id === undefined ? "All corrections are deleted." : "The correction is deleted.";
    });
  }

  teach() {
    at("lesson").textContent = "The network learns …";
    return this.change(async () => {
      const { index, name } = this.model();
      const lesson = await teach(index);
      this.onLesson();
      const mnist = `${lesson.mnist_right_before} → ${lesson.mnist_right_after} of ${lesson.mnist_images} images of MNIST`;
      const learned = `${lesson.right_before} → ${lesson.right_after} of ${counted(lesson.corrections)}`;
      return `${name}, right before → now: ${learned}, ${mnist}, in ${lesson.seconds.toFixed(1)} s.`;
    });
  }

  undo() {
    return this.change(async () => {
      const { index, name } = this.model();
      await undo(index);
      this.onLesson();
      return `The network ${name} is as it was before the lesson.`;
    });
  }

  /** Run a request, say what it did or why it failed, and show the new state. */
  async change(action) {
    for (const name of ["teach", "forget", "delete-all"]) at(name).disabled = true;
    let message;
    try {
      message = await action();
    } catch (error) {
      message = error.message;
    }
    at("lesson").textContent = message;
    await this.refresh();
    at("lesson").scrollIntoView({ block: "nearest" }); // on a phone it may be below the window
  }

  async refresh() {
    try {
      this.show(await corrections());
    } catch (error) {
      at("lesson").textContent = error.message;
    }
  }

  show({ count, file, state, progress, lessons, samples }) {
    const model = this.model();
    const ready = state === "ready" && readsNumbers(model);
    const preparing = state === "preparing" ? `, preparing to teach … ${progress}` : "";
    const note = readsNumbers(model) ? preparing : `; ${model.name} cannot be taught, as it recognizes no digits`;
    at("count").textContent = `${counted(count)} in ${file}${note}`;
    at("teach").disabled = !ready || !count;
    at("forget").disabled = !ready || !lessons[model.index];
    at("delete-all").disabled = !count;
    at("samples").replaceChildren(...samples.slice(0, MAX_SHOWN).map((sample) => this.sample(sample)));
    if (state !== "ready") setTimeout(() => this.refresh(), POLL_MS);
  }

  sample({ id, label, predicted, image }) {
    const item = document.createElement("li");
    item.innerHTML = `<canvas role="img"></canvas><span></span><button type="button">Delete</button>`;
    const [canvas, text, button] = item.children;
    canvas.setAttribute("aria-label", `A corrected ${label}`);
    text.textContent = label === predicted ? label : `${predicted} → ${label}`;
    button.setAttribute("aria-label", `Delete this ${label}`);
    button.addEventListener("click", () => this.delete(id));
    showPixels(canvas, Uint8Array.from(atob(image), (character) => character.charCodeAt(0)), 28, 28);
    return item;
  }
}
