// The canvas to draw on. Strokes are kept in fractions of its height, so that they can be redrawn at any size.

const STROKE_WIDTH = 0.068; // of the height, with the usual brush
const ERASER = 2; // times as wide as the brush
const KEY_STEP = 0.02; // of the height: how far an arrow key moves the pen
const PNG_HEIGHT = 140; // pixels: five for each of the network's input
const MAX_UNDO = 200; // changes

export class Drawing {
  /** `onChange(finished)` is called after every change; `finished` is false during a stroke. */
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.onChange = onChange;
    this.strokes = []; // lists of points; `erases` is true for those of the eraser
    this.picture = null; // { bitmap, file }, shown instead of strokes
    this.history = []; // the strokes and the picture before each change
    this.brush = 1; // times the usual width
    this.erasing = false;
    this.pointer = null; // the id of the pointer that draws
    this.pen = { x: this.aspect / 2, y: 0.5, down: false, shown: false }; // moved by the keyboard, from the middle
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const type of ["pointerup", "pointercancel"]) canvas.addEventListener(type, (event) => this.end(event));
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => this.showPen(false));
  }

  get empty() {
    return !this.picture && this.strokes.every((stroke) => stroke.erases);
  }

  /** The width of the paper, relative to its height. */
  get aspect() {
    return this.canvas.clientWidth / Math.max(this.canvas.clientHeight, 1);
  }

  undo() {
    Object.assign(this, this.history.pop());
    this.lift();
    this.update(true);
  }

  clear() {
    if (!this.strokes.length && !this.picture) return;
    this.remember();
    this.strokes = [];
    this.picture = null;
    this.lift();
    this.update(true);
  }

  open(picture) {
    this.remember();
    this.strokes = [];
    this.picture = picture;
    this.lift();
    this.update(true);
  }

  /** End the stroke in progress. */
  lift() {
    this.pointer = null;
    this.pen.down = false;
  }

  remember() {
    this.history.push({ strokes: [...this.strokes], picture: this.picture });
    if (this.history.length > MAX_UNDO) this.history.shift();
  }

  newStroke(points) {
    this.remember();
    this.picture = null;
    this.strokes.push(Object.assign(points, { erases: this.erasing }));
  }

  begin(event) {
    if (this.pointer !== null || event.button > 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    this.pen.down = this.pen.shown = false;
    this.newStroke([this.point(event)]);
    this.update(false);
  }

  move(event) {
    if (event.pointerId !== this.pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const sample of events.length ? events : [event]) this.strokes.at(-1).push(this.point(sample));
    this.update(false);
  }

  end(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    this.update(true);
  }

  /** The width of new strokes. */
  get width() {
    return STROKE_WIDTH * this.brush * (this.erasing ? ERASER : 1);
  }

  point(event) {
    const { left, top, height } = this.canvas.getBoundingClientRect();
    const pressure = event.pointerType === "pen" && event.pressure ? 0.5 + event.pressure : 1;
    return { x: (event.clientX - left) / height, y: (event.clientY - top) / height, width: this.width * pressure };
  }

  key(event) {
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || (!direction && event.key !== " ")) return;
    event.preventDefault();
    const { pen } = this;
    pen.shown = true;
    if (direction) {
      const step = KEY_STEP * (event.shiftKey ? 4 : 1);
      pen.x = Math.min(Math.max(pen.x + direction[0] * step, 0), this.aspect);
      pen.y = Math.min(Math.max(pen.y + direction[1] * step, 0), 1);
    } else {
      pen.down = !pen.down;
      if (pen.down) this.newStroke([]);
    }
    if (pen.down) this.strokes.at(-1).push({ x: pen.x, y: pen.y, width: this.width });
    if (pen.down || !direction) this.update(!pen.down);
    else this.draw();
  }

  showPen(shown) {
    this.pen.shown = shown;
    this.draw();
  }

  update(finished) {
    this.draw();
    this.onChange(finished);
  }

  draw() {
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight].map((length) =>
      Math.max(1, Math.round(length * devicePixelRatio)),
    );
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
    const context = this.canvas.getContext("2d");
    const style = getComputedStyle(this.canvas);
    context.clearRect(0, 0, width, height);
    if (this.picture) drawPicture(context, this.picture.bitmap, width, height);
    drawStrokes(context, this.strokes, height, style.getPropertyValue("--ink"));
    if (this.pen.shown) drawPen(context, this.pen, height, style.getPropertyValue("--accent"));
  }

  /** Return the strokes as a PNG: black on white, in the light and in the dark color scheme. */
  async png() {
    const strokes = new OffscreenCanvas(Math.round(PNG_HEIGHT * this.aspect), PNG_HEIGHT);
    drawStrokes(strokes.getContext("2d"), this.strokes, PNG_HEIGHT, "#000");
    const canvas = new OffscreenCanvas(strokes.width, strokes.height);
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(strokes, 0, 0);
    return canvas.convertToBlob({ type: "image/png" });
  }
}

function drawPicture(context, bitmap, width, height) {
  const scale = Math.min(width / bitmap.width, height / bitmap.height);
  const [w, h] = [bitmap.width * scale, bitmap.height * scale];
  context.drawImage(bitmap, (width - w) / 2, (height - h) / 2, w, h);
}

function drawStrokes(context, strokes, side, color) {
  context.strokeStyle = context.fillStyle = color;
  context.lineCap = context.lineJoin = "round";
  for (const stroke of strokes) {
    if (!stroke.length) continue;
    context.globalCompositeOperation = stroke.erases ? "destination-out" : "source-over";
    const [first] = stroke;
    context.beginPath();
    context.arc(first.x * side, first.y * side, (first.width * side) / 2, 0, 2 * Math.PI);
    context.fill();
    for (let i = 1; i < stroke.length; i++) drawSegment(context, stroke, i, side);
  }
  context.globalCompositeOperation = "source-over";
}

/** Draw a stroke around point i - 1: a curve between the midpoints to its neighbors, straight at the stroke's end. */
function drawSegment(context, stroke, i, side) {
  const [before, point, after] = [stroke[Math.max(i - 2, 0)], stroke[i - 1], stroke[i]];
  const midpoint = (a, b) => [((a.x + b.x) / 2) * side, ((a.y + b.y) / 2) * side];
  context.lineWidth = after.width * side;
  context.beginPath();
  context.moveTo(...midpoint(before, point));
  context.quadraticCurveTo(point.x * side, point.y * side, ...midpoint(point, after));
  if (i === stroke.length - 1) context.lineTo(after.x * side, after.y * side);
  context.stroke();
}

function drawPen(context, pen, side, color) {
  context.strokeStyle = color;
  context.lineWidth = Math.max(2, side / 150);
  context.beginPath();
  context.arc(pen.x * side, pen.y * side, (STROKE_WIDTH * side) / (pen.down ? 1.6 : 1.1), 0, 2 * Math.PI);
  context.stroke();
}
