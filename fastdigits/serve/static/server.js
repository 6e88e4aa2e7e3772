// What the server is asked. One question at a time: while it is open only the newest waits, older ones are dropped.

export async function models() {
  const answer = await ask("models");
  return answer.models;
}

export class Reader {
  /** `told(answer, milliseconds)` gets the newest answer, `failed(sentence)` why there is none. */
  constructor(told, failed) {
    this.told = told;
    this.failed = failed;
    this.asking = false;
    this.next = null;
    this.number = 0;
  }

  /** Read what `picture()` gives when its turn comes, a Blob, with the network of this index. */
  read(picture, model) {
    this.number += 1;
    this.next = { picture, model };
    if (!this.asking) this.work();
  }

  /** Forget what has been asked. */
  forget() {
    this.number += 1;
    this.next = null;
  }

  async work() {
    this.asking = true;
    while (this.next) {
      const { picture, model } = this.next;
      const { number } = this;
      this.next = null;
      const start = performance.now();
      try {
        const body = await picture();
        const headers = { "Content-Type": body.type || "application/octet-stream" };
        const answer = await ask(`predict?explain=true&model=${model}`, { method: "POST", body, headers });
        if (number === this.number || this.next) this.told(answer, performance.now() - start);
      } catch (error) {
        if (number === this.number) this.failed(error.message);
      }
    }
    this.asking = false;
  }
}

async function ask(path, options) {
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
