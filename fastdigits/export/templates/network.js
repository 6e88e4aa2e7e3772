// The forward pass of the network. Arrays are flat: an image of C channels has its rows one after the other.

"use strict";

/** The operations by the kinds of the steps. Each reads the array x, and fills the array y. */
const OPERATIONS = {
  /** y[o, i, j] = bias[o] + sum over c, p, q of x[c, i * stride + p - top, j * stride + q - left] * weight[o, c, p, q] */
  conv2d({ x, y, weight, bias, input, output, P, Q, stride, top, left }) {
    const [C, H, W] = input;
    const [O, I, J] = output;
    const window = new Float64Array(C * P * Q); // of the input, with zeros beyond its edges
    for (let i = 0; i < I; i++) {
      for (let j = 0; j < J; j++) {
        let k = 0;
        for (let c = 0; c < C; c++) {
          for (let p = 0; p < P; p++) {
            const row = i * stride + p - top;
            for (let q = 0; q < Q; q++, k++) {
              const column = j * stride + q - left;
              const inside = row >= 0 && row < H && column >= 0 && column < W;
              window[k] = inside ? x[(c * H + row) * W + column] : 0;
            }
          }
        }
        products(window, weight, bias, O, y, i * J + j, I * J);
      }
    }
  },

  dense({ x, y, weight, bias, input, output }) {
    products(x.subarray(0, input[0]), weight, bias, output[0], y, 0, 1);
  },

  maxpool2d(step) {
    pool(step, (a, b) => Math.max(a, b), -Infinity, 1);
  },

  avgpool2d(step) {
    pool(step, (a, b) => a + b, 0, 1 / (step.P * step.Q));
  },

  /** Batch normalization, as a function of each channel. */
  scale({ x, y, gain, offset, output }) {
    const [C, S] = [output[0], size(output) / output[0]];
    for (let c = 0; c < C; c++) for (let s = 0; s < S; s++) y[c * S + s] = gain[c] * x[c * S + s] + offset[c];
  },

  /** Divide by (k + alpha * the sum of the squares in the neighboring channels) ** beta. */
  lrn({ x, y, output, reach, alpha, beta, k }) {
    const [C, S] = [output[0], size(output) / output[0]];
    for (let c = 0; c < C; c++) {
      const [first, end] = [Math.max(c - reach, 0), Math.min(c + reach + 1, C)];
      for (let s = 0; s < S; s++) {
        let sum = 0;
        for (let d = first; d < end; d++) sum += x[d * S + s] ** 2;
        y[c * S + s] = x[c * S + s] / (k + alpha * sum) ** beta;
      }
    }
  },

  add: (step) => each(step, (value, index) => value + step.other[index]),
  relu: (step) => each(step, (value) => Math.max(value, 0)),
  leaky_relu: (step) => each(step, (value) => (value > 0 ? value : step.slope * value)),
  sigmoid: (step) => each(step, sigmoid),
  tanh: (step) => each(step, Math.tanh),
  gelu: (step) => each(step, (value) => value * sigmoid(1.5957691216057308 * (value + 0.044715 * value ** 3))),
  silu: (step) => each(step, (value) => value * sigmoid(value)),
};

/** Fill y[start + o * stride] = bias[o] + sum over k of x[k] * weight[o, k]. Four outputs at a time read x once. */
function products(x, weight, bias, outputs, y, start, stride) {
  const K = x.length;
  let o = 0;
  for (; o + 4 <= outputs; o += 4) {
    let [a, b, c, d] = [bias[o], bias[o + 1], bias[o + 2], bias[o + 3]];
    for (let k = 0, m = o * K; k < K; k++, m++) {
      const value = x[k];
      a += value * weight[m];
      b += value * weight[m + K];
      c += value * weight[m + 2 * K];
      d += value * weight[m + 3 * K];
    }
    [a, b, c, d].forEach((sum, number) => (y[start + (o + number) * stride] = sum));
  }
  for (; o < outputs; o++) {
    let sum = bias[o];
    for (let k = 0; k < K; k++) sum += x[k] * weight[o * K + k];
    y[start + o * stride] = sum;
  }
}

/** Combine the numbers of each window, and multiply the result by a factor. */
function pool({ x, y, input, output, P, Q, stride }, combine, initial, factor) {
  const [C, H, W] = input;
  const [, I = 1, J = 1] = output;
  for (let c = 0; c < C; c++) {
    for (let i = 0; i < I; i++) {
      for (let j = 0; j < J; j++) {
        let value = initial;
        for (let p = 0; p < P; p++) {
          const first = (c * H + i * stride + p) * W + j * stride;
          for (let q = 0; q < Q; q++) value = combine(value, x[first + q]);
        }
        y[(c * I + i) * J + j] = value * factor;
      }
    }
  }
}

function each({ x, y, output }, apply) {
  for (let index = size(output) - 1; index >= 0; index--) y[index] = apply(x[index], index);
}

function sigmoid(value) {
  return 1 / (1 + Math.exp(-value));
}

function size(shape) {
  return shape.reduce((product, length) => product * length, 1);
}

/** A network as the exporting program describes it: its steps, the sizes of its buffers, its pixels and its classes. */
class Network {
  constructor(description, numbers) {
    const { steps, buffers, pixels, classes, calibration } = description;
    const array = ([start, length]) => Float64Array.from(numbers.subarray(start, start + length));
    Object.assign(this, { pixels, classes, calibration });
    this.levels = array(pixels.levels);
    this.buffers = buffers.map((length) => new Float64Array(length));
    this.steps = steps.map(({ kind, x, y, other, arrays, ...settings }) => ({
      ...settings,
      run: OPERATIONS[kind],
      x: this.buffers[x],
      y: this.buffers[y],
      other: this.buffers[other],
      ...Object.fromEntries(Object.entries(arrays).map(([name, place]) => [name, array(place)])),
    }));
    this.output = this.steps.at(-1).y;
  }

  /** Return one score for each class, given pixels from 0 to 255, row by row. */
  scores(pixels) {
    const { rows, columns, pad, background } = this.pixels;
    const image = this.buffers[0].fill(this.levels[background]);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        image[(i + pad) * (columns + 2 * pad) + j + pad] = this.levels[pixels[i * columns + j]];
      }
    }
    for (const step of this.steps) step.run(step);
    return this.output.slice(0, this.classes.length);
  }

  /** Return the probabilities of the digits, the most probable two, whether the first one is unsure, and that of no digit. */
  predict(pixels) {
    const { temperature, unsureBelow, noDigitBias } = this.calibration;
    const logits = this.scores(pixels).map((score) => score / temperature);
    const trained = softmax(logits);
    const asTrained = digits(trained);
    const probabilities = digits(softmax(logits.map((logit, number) => (number === 10 ? logit + noDigitBias : logit))));
    const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
    const unsure = 1 - asTrained[order[0]] > 1 - unsureBelow;
    return { probabilities, digit: order[0], second: order[1], unsure, noDigit: trained[10] ?? 0 };
  }
}

function softmax(scores) {
  const highest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - highest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** Return the probabilities of the ten digits, with an equal part of that of "no digit". */
function digits(probabilities) {
  const rest = (probabilities[10] ?? 0) / 10;
  return Array.from(probabilities.subarray(0, 10), (probability) => probability + rest);
}

/** Return the float32 numbers in a base64 text: compressed, the first bytes of all numbers before the second ones. */
async function unpack(text) {
  const compressed = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([compressed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const count = planes.length / 4;
  const view = new DataView(new ArrayBuffer(planes.length));
  for (let plane = 0; plane < 4; plane++) {
    for (let index = 0; index < count; index++) view.setUint8(4 * index + plane, planes[plane * count + index]);
  }
  return Float32Array.from({ length: count }, (_, index) => view.getFloat32(4 * index, true));
}

/** Read the network from the page; the first image would otherwise wait until the browser has compiled the loops. */
async function readNetwork() {
  const description = JSON.parse(document.getElementById("description").textContent);
  const network = new Network(description, await unpack(document.getElementById("weights").textContent));
  for (let round = 0; round < 3; round++) network.scores(new Uint8Array(network.pixels.rows * network.pixels.columns));
  return network;
}
