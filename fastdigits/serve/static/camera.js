// The live camera: only after a click, and its pictures go nowhere but to the server for recognition.

const MAX_SIDE = 1280; // pixels of a picture
const INTERVAL_MS = 300; // between two pictures

const REASONS = {
  NotAllowedError: "The camera may not be used; allow it in the settings of the browser.",
  NotFoundError: "There is no camera.",
};

export class Camera {
  /** Whether the browser offers cameras: it does so only to localhost and over HTTPS. */
  static exists = Boolean(navigator.mediaDevices?.getUserMedia);

  /** `onFrame(blob)` gets pictures while the camera runs, `onStop(bitmap, blob)` the last, `onError(message)` reasons. */
  constructor(video, onFrame, onStop, onError) {
    Object.assign(this, { video, onFrame, onStop, onError });
    this.stream = this.latest = null; // the latest is the picture that was handed over last
    for (const type of ["pagehide", "visibilitychange"]) {
      document.addEventListener(type, () => document.visibilityState === "hidden" && this.stop());
    }
  }

  async toggle(button) {
    if (this.stream) return this.stop();
    this.button = button;
    button.disabled = true; // until the user has answered the browser's question
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
      this.show(true);
      this.video.srcObject = this.stream;
      await this.video.play();
      this.timer = setInterval(() => this.sendFrame(), INTERVAL_MS);
    } catch (error) {
      this.end();
      this.onError(REASONS[error.name] ?? "The camera cannot be used.");
    } finally {
      button.disabled = false;
    }
  }

  /** Hand a picture over, unless the camera stops while it is made. */
  async sendFrame() {
    const { stream } = this;
    const frame = await this.frame();
    if (stream !== this.stream) return;
    this.latest = frame;
    this.onFrame(frame);
  }

  /** Stop the camera and hand the last picture over. */
  async stop() {
    if (!this.stream) return;
    const ready = this.video.videoWidth > 0;
    const frame = ready && this.frame();
    this.end();
    if (!ready) return;
    const file = await frame;
    this.onStop(await createImageBitmap(file), file);
  }

  /** Stop the camera without a last picture. */
  end() {
    if (!this.stream) return;
    clearInterval(this.timer);
    for (const track of this.stream.getTracks()) track.stop();
    this.stream = this.latest = this.video.srcObject = null;
    this.show(false);
  }

  show(running) {
    this.video.hidden = !running;
    this.button.setAttribute("aria-pressed", running);
    document.body.classList.toggle("filming", running);
  }

  frame() {
    const { videoWidth, videoHeight } = this.video;
    const scale = Math.min(1, MAX_SIDE / Math.max(videoWidth, videoHeight));
    const canvas = new OffscreenCanvas(Math.round(videoWidth * scale), Math.round(videoHeight * scale));
    canvas.getContext("2d").drawImage(this.video, 0, 0, canvas.width, canvas.height);
    return canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
  }
}
