// Convert a drawing to an image as in MNIST: 28 x 28 pixels, the digit's longer side 20 pixels, its strokes of a usual
// width, and its center of mass in the middle. This is what fastdigits/imaging/ink.py and mnist_format.py do.

"use strict";

const IMAGE_SIDE = 28;
const DIGIT_SIDE = 20; // pixels of the longer side of a digit
const SUBPIXELS = 4; // along each axis of a pixel
const CENTER = 14.5 * SUBPIXELS; // subpixels
const [MIN_STROKE_WIDTH, MAX_STROKE_WIDTH] = [1.9, 3.8]; // pixels
const [MIN_MEASURED_SIDE, MAX_MEASURED_SIDE] = [DIGIT_SIDE * SUBPIXELS, 256]; // pixels of a digit whose strokes are measured
const THRESHOLD = 0.5; // the edge of a stroke
const SMOOTHING = 0.8; // pixels: the standard deviation of a Gaussian
const NEIGHBORHOOD = 3; // pixels to each side, in which the strongest ink counts as 1
const MIN_STRONGEST = 0.35; // of that

/** A grid of numbers. */
class Field {
  constructor(rows, columns, values = new Float32Array(rows * columns)) {
    Object.assign(this, { rows, columns, values });
  }

  map(apply) {
    return new Field(this.rows, this.columns, this.values.map(apply));
  }

  /** Return the rows and columns from `top` and `left` on, with zeros beyond the edges. */
  window(top, left, rows, columns) {
    const found = new Field(rows, columns);
    for (let i = Math.max(0, -top); i < Math.min(rows, this.rows - top); i++) {
      for (let j = Math.max(0, -left); j < Math.min(columns, this.columns - left); j++) {
        found.values[i * columns + j] = this.values[(i + top) * this.columns + j + left];
      }
    }
    return found;
  }

  transposed() {
    const found = new Field(this.columns, this.rows);
    for (let i = 0; i < this.rows; i++) {
      for (let j = 0; j < this.columns; j++) found.values[j * this.rows + i] = this.values[i * this.columns + j];
    }
    return found;
  }

  /** Apply a function from a row to a row to all rows, then to all columns. */
  separably(apply) {
    const rows = (field) => {
      const changed = Array.from({ length: field.rows }, (_, i) =>
        apply(field.values.subarray(i * field.columns, (i + 1) * field.columns)),
      );
      const found = new Field(field.rows, changed[0].length);
      changed.forEach((row, i) => found.values.set(row, i * found.columns));
      return found;
    };
    return rows(rows(this).transposed()).transposed();
  }

  /** Return the top, left, bottom and right edges of the numbers above THRESHOLD, or null if there are none. */
  bounds() {
    let [top, left, bottom, right] = [this.rows, this.columns, 0, 0];
    this.values.forEach((value, index) => {
      if (value <= THRESHOLD) return;
      const [i, j] = [Math.floor(index / this.columns), index % this.columns];
      [top, left, bottom, right] = [Math.min(top, i), Math.min(left, j), Math.max(bottom, i + 1), Math.max(right, j + 1)];
    });
    return bottom ? { top, left, rows: bottom - top, columns: right - left } : null;
  }
}

/** Return the image, Uint8Array (28 * 28), of the ink of a drawing, a Field of numbers from 0 to 1; null if it is empty. */
function toMnistFormat(ink) {
  const smooth = ink.separably(gaussian);
  const strongest = smooth.separably((row) => highest(row, NEIGHBORHOOD)).separably((row) => mean(row, NEIGHBORHOOD));
  const strength = smooth.map((value, index) => Math.min(value / Math.max(strongest.values[index], MIN_STRONGEST), 1));
  const box = strength.bounds();
  if (!box) return null;
  const digit = strength.window(box.top, box.left, box.rows, box.columns);
  const isNear = digit.map((value) => (value > THRESHOLD ? 1 : 0)).separably((row) => highest(row, 1));
  return centered(withUsualStrokes(digit.map((value, index) => value * isNear.values[index])));
}

/** Change the stroke width to a usual one, and scale the digit to its size in subpixels. */
function withUsualStrokes(strength) {
  const longer = Math.max(strength.rows, strength.columns);
  const side = Math.min(Math.max(longer, MIN_MEASURED_SIDE), MAX_MEASURED_SIDE);
  const pixel = side / DIGIT_SIDE;
  const margin = Math.floor((MIN_STROKE_WIDTH * pixel) / 2) + 2; // for strokes to grow into
  const padded = strength.window(-margin, -margin, strength.rows + 2 * margin, strength.columns + 2 * margin);
  let digit = resized(padded, side / longer).map((value) => (value > THRESHOLD ? 1 : 0));
  const width = strokeWidth(digit) / pixel;
  const growth = ((Math.min(Math.max(width, MIN_STROKE_WIDTH), MAX_STROKE_WIDTH) - width) * pixel) / 2;
  if (growth > 0) {
    digit = distances(digit, 1, growth + 1).map((distance) => clip(growth + 1 - distance));
  } else if (growth < 0) {
    digit = distances(digit, 0, 1 - growth).map((distance) => clip(growth + distance));
  }
  const { top, left, rows, columns } = digit.bounds();
  return resized(digit.window(top, left, rows, columns), (DIGIT_SIDE * SUBPIXELS) / Math.max(rows, columns));
}

/** Return the mean width of strokes: 2 area / perimeter, where outlines of pixels are 4 / pi times as long as smooth ones. */
function strokeWidth({ rows, columns, values }) {
  let [area, edges] = [0, 0];
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const value = values[i * columns + j];
      area += value;
      if (i + 1 < rows && value !== values[(i + 1) * columns + j]) edges += 1;
      if (j + 1 < columns && value !== values[i * columns + j + 1]) edges += 1;
    }
  }
  return (2 * area) / Math.max((edges * Math.PI) / 4, 1);
}

/** Return the distance of each number to the nearest one that equals `target`; `limit` if it is farther away. */
function distances(field, target, limit) {
  const reach = Math.ceil(limit);
  const squares = field.map((value) => (value === target ? 0 : limit ** 2));
  const nearest = (row) =>
    row.map((square, j) => {
      for (let k = Math.max(j - reach, 0); k <= Math.min(j + reach, row.length - 1); k++) {
        square = Math.min(square, row[k] + (k - j) * (k - j));
      }
      return square;
    });
  return squares.separably(nearest).map(Math.sqrt);
}

/** Return the coverage of subpixels as an image centered by mass. */
function centered(coverage) {
  const { rows, columns, values } = coverage;
  let [total, rowSum, columnSum] = [0, 0, 0];
  values.forEach((value, index) => {
    total += value;
    rowSum += value * (Math.floor(index / columns) + 0.5);
    columnSum += value * ((index % columns) + 0.5);
  });
  const side = IMAGE_SIDE * SUBPIXELS;
  const top = Math.min(Math.max(Math.round(CENTER - rowSum / total), 0), side - rows);
  const left = Math.min(Math.max(Math.round(CENTER - columnSum / total), 0), side - columns);
  const sums = new Float32Array(IMAGE_SIDE ** 2);
  coverage.window(-top, -left, side, side).values.forEach((value, index) => {
    const [i, j] = [Math.floor(index / side / SUBPIXELS), Math.floor((index % side) / SUBPIXELS)];
    sums[i * IMAGE_SIDE + j] += value;
  });
  return Uint8Array.from(sums, (sum) => Math.round(255 * clip(sum / SUBPIXELS ** 2)));
}

/** Scale a field by bicubic interpolation, or by averages over triangles if it becomes smaller. */
function resized(field, factor) {
  if (factor === 1) return field;
  const [filter, reach] = factor > 1 ? [cubic, 2] : [triangle, 1];
  return field.separably((row) => resampled(row, Math.max(1, Math.round(row.length * factor)), filter, reach));
}

/** Return a row with another number of values: averages weighted by a filter, which widens where the row becomes shorter. */
function resampled(row, length, filter, reach) {
  const scale = row.length / length;
  const stretch = Math.max(scale, 1);
  return Float32Array.from({ length }, (_, index) => {
    const center = (index + 0.5) * scale;
    const first = Math.max(Math.floor(center - reach * stretch + 0.5), 0);
    const end = Math.min(Math.floor(center + reach * stretch + 0.5), row.length);
    let [sum, total] = [0, 0];
    for (let k = first; k < end; k++) {
      const weight = filter((k + 0.5 - center) / stretch);
      sum += weight * row[k];
      total += weight;
    }
    return sum / total;
  });
}

function triangle(x) {
  return Math.max(1 - Math.abs(x), 0);
}

/** Keys (1981), Cubic convolution interpolation for digital image processing, with a = -1/2. */
function cubic(x) {
  const t = Math.abs(x);
  if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
  return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
}

function gaussian(row) {
  const reach = Math.round(4 * SMOOTHING);
  return filtered(row, Array.from({ length: 2 * reach + 1 }, (_, k) => Math.exp(-0.5 * ((k - reach) / SMOOTHING) ** 2)));
}

function mean(row, reach) {
  return filtered(row, new Array(2 * reach + 1).fill(1));
}

/** Return the weighted averages around each value of a row, which is mirrored at its ends. */
function filtered(row, weights) {
  const reach = (weights.length - 1) / 2;
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const longer = new Float64Array(row.length + 2 * reach);
  longer.set(row.slice(0, reach).reverse());
  longer.set(row, reach);
  longer.set(row.slice(-reach).reverse(), reach + row.length);
  const found = new Float32Array(row.length);
  for (let j = 0; j < row.length; j++) {
    let sum = 0;
    for (let k = 0; k < weights.length; k++) sum += weights[k] * longer[j + k];
    found[j] = sum / total;
  }
  return found;
}

/** Return the highest of the values around each value of a row. */
function highest(row, reach) {
  return row.map((value, j) => {
    for (let k = Math.max(j - reach, 0); k <= Math.min(j + reach, row.length - 1); k++) {
      if (row[k] > value) value = row[k];
    }
    return value;
  });
}

function clip(value) {
  return Math.min(Math.max(value, 0), 1);
}
