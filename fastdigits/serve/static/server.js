// Requests to the server. One request runs at a time; of those that come meanwhile, only the newest is sent.

/** Return the models, and whether the server learns. */
export const models = () => request("models");

/** Keep what a picture, a Blob, really shows. */
export const correct = (picture, text, model) =>
  request(`corrections?text=${encodeURIComponent(text)}&model=${model}`, posting(picture));
export const corrections = () => request("corrections");
export const remove = (id) => request(id === undefined ? "corrections" : `corrections/${id}`, { method: "DELETE" });
export const teach = (model) => request(`teach?model=${model}`, { method: "POST" });
export const undo = (model) => request(`undo?model=${model}`, { method: "POST" });

export class Recognizer {
  /** `onAnswer(answer, milliseconds)` is called with the newest answer, `onError(message)` if there is none. */
  constructor(onAnswer, onError) {
    this.onAnswer = onAnswer;
    this.onError = onError;
    this.running = false;
    this.next = null;
    this.latest = 0; // number of the latest request; cancelling counts as one
    this.cancelled = 0; // number of the latest cancellation
  }

  /** Recognize a picture with a model of `models`; `picture()` is only called, for a Blob, when it is sent. */
  recognize(picture, model) {
    this.latest += 1;
    this.next = { picture, model };
    if (!this.running) this.run();
  }

  /** Ignore the answers to all requests so far. */
  cancel() {
    this.cancelled = this.latest += 1;
    this.next = null;
  }

  async run() {
    this.running = true;
    while (this.next) {
      const { picture, model } = this.next;
      const number = this.latest;
      this.next = null;
      const start = performance.now();
      try {
        const answer = await predict(await picture(), model);
        if (number > this.cancelled) this.onAnswer(answer, performance.now() - start);
      } catch (error) {
        if (number === this.latest) this.onError(error.message);
      }
    }
    this.running = false;
  }
}

/** Whether a model recognizes digits, so that the server reads whole numbers. */
export const readsNumbers = ({ classes }) => classes.every((name) => /^[0-9]$/.test(name));

/** Read a number, or recognize one shape if the classes of the model are no digits. */
async function predict(picture, model) {
  const query = `explain=true&model=${model.index}`;
  if (readsNumbers(model)) return request(`predict?several=true&${query}`, posting(picture));
  return { single: await request(`predict?${query}`, posting(picture)) };
}

function posting(body) {
  return { method: "POST", body, headers: { "Content-Type": body.type || "application/octet-stream" } };
}

async function request(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The server cannot be reached; is it still running?");
  }
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}
