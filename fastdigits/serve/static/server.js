// Requests to the server. One request runs at a time; of those that come meanwhile, only the newest is sent.

export async function models() {
  const answer = await request("models");
  return answer.models;
}

export class Recognizer {
  /** `onAnswer(answer, milliseconds)` is called with the newest answer, `onError(message)` if there is none. */
  constructor(onAnswer, onError) {
    this.onAnswer = onAnswer;
    this.onError = onError;
    this.running = false;
    this.next = null;
    this.latest = 0; // number of the latest request; cancelling counts as one
  }

  /** Recognize a picture with the model at an index; `picture()` is only called, for a Blob, when it is sent. */
  recognize(picture, model) {
    this.latest += 1;
    this.next = { picture, model };
    if (!this.running) this.run();
  }

  /** Ignore the answers to all requests so far. */
  cancel() {
    this.latest += 1;
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
        const body = await picture();
        const headers = { "Content-Type": body.type || "application/octet-stream" };
        const answer = await request(`predict?explain=true&model=${model}`, { method: "POST", body, headers });
        if (number === this.latest || this.next) this.onAnswer(answer, performance.now() - start);
      } catch (error) {
        if (number === this.latest) this.onError(error.message);
      }
    }
    this.running = false;
  }
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
