// Show the feature maps of an answer, or say why there are none.

import { showPixels } from "./view.js";

const MAX_LARGE_MAPS = 8; // of a layer; more are shown smaller
const UNITS_PER_ROW = 32; // of a dense layer

const at = (id) => document.getElementById(id);

export function showMaps(features, reason = "") {
  const maps = at("maps");
  at("no-maps").hidden = features.length > 0;
  at("no-maps").textContent = reason;
  while (maps.children.length > features.length) maps.lastChild.remove();
  features.forEach((feature, number) => {
    const figure = maps.children[number] ?? maps.appendChild(createFigure());
    showLayer(figure, feature);
  });
}

function createFigure() {
  const figure = document.createElement("figure");
  figure.innerHTML = `<figcaption><b></b><span></span></figcaption><div class="tiles" aria-hidden="true"></div>`;
  return figure;
}

function showLayer(figure, { layer, shape, total, levels }) {
  const bytes = Uint8Array.from(atob(levels), (character) => character.charCodeAt(0));
  const [caption, tiles] = figure.children;
  const dense = shape.length === 1;
  const [count, rows, columns] = dense ? [1, Math.ceil(shape[0] / UNITS_PER_ROW), Math.min(shape[0], UNITS_PER_ROW)] : shape;
  const size = dense ? `${total} units` : `${total} maps of ${rows} × ${columns}`;
  const note = total > shape[0] ? `, first ${shape[0]} shown` : "";
  caption.firstChild.textContent = layer;
  caption.lastChild.textContent = ` ${size}${note}`;
  while (tiles.children.length > count) tiles.lastChild.remove();
  while (tiles.children.length < count) tiles.append(document.createElement("canvas"));
  tiles.className = `tiles ${dense ? "units" : count > MAX_LARGE_MAPS ? "" : "few"}`;
  [...tiles.children].forEach((tile, number) => {
    showPixels(tile, bytes.subarray(number * rows * columns, (number + 1) * rows * columns), rows, columns);
  });
}
