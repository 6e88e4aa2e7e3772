// Strokes on a sheet of paper, in shares of its side, so that they outlive any change of its size.

const WIDTH = 0.068; // of a stroke
const STEP = 0.02; // of the pen that is moved by keys
const SENT_PIXELS = 140; // of a side: five for each that the network sees

export class Drawing {
  /** `changed(finished)` is called after every change; `finished` says that no stroke is under way. */
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.strokes = [];
    this.picture = null; // an ImageBitmap that is shown in place of strokes
    this.pointer = null; // that draws
    this.pen = { x: 0.5, y: 0.5, down: false, shown: false }; // moved by keys
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.go(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => this.end(event));
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => this.show(false));
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

  go(event) {
    if (event.pointerId !== this.pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length ? events : [event]) this.strokes.at(-1).push(this.point(one));
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
    return { x: (event.clientX - left) / width, y: (event.clientY - top) / height, width: WIDTH * pressure };
  }

  key(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || (!way && event.key !== " ")) return;
    event.preventDefault();
    const { pen } = this;
    pen.shown = true;
    if (way) {
      const step = STEP * (event.shiftKey ? 4 : 1);
      pen.x = Math.min(Math.max(pen.x + way[0] * step, 0), 1);
      pen.y = Math.min(Math.max(pen.y + way[1] * step, 0), 1);
    } else {
      pen.down = !pen.down;
      this.picture = null;
      if (pen.down) this.strokes.push([]);
    }
    if (pen.down) this.strokes.at(-1).push({ x: pen.x, y: pen.y, width: WIDTH });
    if (pen.down || !way) this.update(!pen.down);
    else this.draw();
  }

  show(shown) {
    this.pen.shown = shown;
    this.draw();
  }

  update(finished) {
    this.draw();
    this.changed(finished);
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
    ink(context, this.strokes, side, style.getPropertyValue("--ink"));
    if (this.pen.shown) mark(context, this.pen, side, style.getPropertyValue("--accent"));
  }

  /** The strokes as a PNG: dark ink on white, whatever the page looks like. */
  async png() {
    const sheet = new OffscreenCanvas(SENT_PIXELS, SENT_PIXELS);
    const context = sheet.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, SENT_PIXELS, SENT_PIXELS);
    ink(context, this.strokes, SENT_PIXELS, "#000");
    return sheet.convertToBlob({ type: "image/png" });
  }
}

function ink(context, strokes, side, colour) {
  context.strokeStyle = context.fillStyle = colour;
  context.lineCap = context.lineJoin = "round";
  for (const stroke of strokes) {
    if (!stroke.length) continue;
    const [first] = stroke;
    context.beginPath();
    context.arc(first.x * side, first.y * side, (first.width * side) / 2, 0, 2 * Math.PI);
    context.fill();
    for (let i = 1; i < stroke.length; i++) bend(context, stroke, i, side);
  }
}

/** The part of a stroke around point i - 1: from middle to middle, bent at the point; the ends are straight. */
function bend(context, stroke, i, side) {
  const [before, at, after] = [stroke[Math.max(i - 2, 0)], stroke[i - 1], stroke[i]];
  const middle = (a, b) => [((a.x + b.x) / 2) * side, ((a.y + b.y) / 2) * side];
  context.lineWidth = after.width * side;
  context.beginPath();
  context.moveTo(...middle(before, at));
  context.quadraticCurveTo(at.x * side, at.y * side, ...middle(at, after));
  if (i === stroke.length - 1) context.lineTo(after.x * side, after.y * side);
  context.stroke();
}

function mark(context, pen, side, colour) {
  context.strokeStyle = colour;
  context.lineWidth = Math.max(2, side / 150);
  context.beginPath();
  context.arc(pen.x * side, pen.y * side, (WIDTH * side) / (pen.down ? 1.6 : 1.1), 0, 2 * Math.PI);
  context.stroke();
}
