// The canvas to draw on. Strokes are kept in fractions of its side, so that they can be redrawn at any size.

const STROKE_WIDTH = 0.068; // of the side
const KEY_STEP = 0.02; // of the side: how far an arrow key moves the pen
const PNG_SIDE = 140; // pixels: five for each of the network's input

export class Drawing {
  /** `onChange(finished)` is called after every change; `finished` is false during a stroke. */
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.onChange = onChange;
    this.strokes = [];
    this.picture = null; // an ImageBitmap shown instead of strokes
    this.pointer = null; // the id of the pointer that draws
    this.pen = { x: 0.5, y: 0.5, down: false, shown: false }; // moved by the keyboard
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const type of ["pointerup", "pointercancel"]) canvas.addEventListener(type, (event) => this.end(event));
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => this.showPen(false));
  }

  get empty() {
    return !this.strokes.length && !this.picture;
  }

  undo() {
    if (this.picture) this.picture = null;
    else this.strokes.pop();
    this.update(true);
  }

  clear() {
    this.strokes = [];
    this.picture = null;
    this.pen.down = false;
    this.update(true);
  }

  open(picture) {
    this.strokes = [];
    this.picture = picture;
    this.update(true);
  }

  begin(event) {
    if (this.pointer !== null || event.button > 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    this.picture = null;
    this.pen.down = this.pen.shown = false;
    this.strokes.push([this.point(event)]);
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

  point(event) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const pressure = event.pointerType === "pen" && event.pressure ? 0.5 + event.pressure : 1;
    return { x: (event.clientX - left) / width, y: (event.clientY - top) / height, width: STROKE_WIDTH * pressure };
  }

  key(event) {
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || (!direction && event.key !== " ")) return;
    event.preventDefault();
    const { pen } = this;
    pen.shown = true;
    if (direction) {
      const step = KEY_STEP * (event.shiftKey ? 4 : 1);
      pen.x = Math.min(Math.max(pen.x + direction[0] * step, 0), 1);
      pen.y = Math.min(Math.max(pen.y + direction[1] * step, 0), 1);
    } else {
      pen.down = !pen.down;
      this.picture = null;
      if (pen.down) this.strokes.push([]);
    }
    if (pen.down) this.strokes.at(-1).push({ x: pen.x, y: pen.y, width: STROKE_WIDTH });
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
    const side = Math.max(1, Math.round(this.canvas.clientWidth * devicePixelRatio));
    if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
    const context = this.canvas.getContext("2d");
    const style = getComputedStyle(this.canvas);
    context.clearRect(0, 0, side, side);
    if (this.picture) {
      const { width, height } = this.picture;
      const scale = side / Math.max(width, height);
      const [w, h] = [width * scale, height * scale];
      context.drawImage(this.picture, (side - w) / 2, (side - h) / 2, w, h);
    }
    drawStrokes(context, this.strokes, side, style.getPropertyValue("--ink"));
    if (this.pen.shown) drawPen(context, this.pen, side, style.getPropertyValue("--accent"));
  }

  /** Return the strokes as a PNG: black on white, in the light and in the dark color scheme. */
  async png() {
    const canvas = new OffscreenCanvas(PNG_SIDE, PNG_SIDE);
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, PNG_SIDE, PNG_SIDE);
    drawStrokes(context, this.strokes, PNG_SIDE, "#000");
    return canvas.convertToBlob({ type: "image/png" });
  }
}

function drawStrokes(context, strokes, side, color) {
  context.strokeStyle = context.fillStyle = color;
  context.lineCap = context.lineJoin = "round";
  for (const stroke of strokes) {
    if (!stroke.length) continue;
    const [first] = stroke;
    context.beginPath();
    context.arc(first.x * side, first.y * side, (first.width * side) / 2, 0, 2 * Math.PI);
    context.fill();
    for (let i = 1; i < stroke.length; i++) drawSegment(context, stroke, i, side);
  }
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
