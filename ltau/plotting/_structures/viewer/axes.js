"use strict";

const INK = "#222", FAINT = "#999", BLUE = "#0072b2", ORANGE = "#d55e00", UNKNOWN = "#ccc";
const VIRIDIS = ["440154", "482878", "3e4989", "31688e", "26828e", "1f9e89", "35b779", "6ece58",
  "b5de2b", "fde725"].map((hex) => [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16)));
const INFINITE = 1e300; // JSON has no infinity

/** Clear a canvas, as fine as the screen is, and give what to draw with, in CSS pixels. */
function surface(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const { width, height } = canvas.getBoundingClientRect();
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.font = "12px system-ui, sans-serif";
  return { pen, width, height };
}

/** Say a number in few digits. */
function said(value) {
  if (value === null || value === undefined) return "unknown";
  if (value >= INFINITE) return "∞";
  if (value === 0) return "0";
  const small = Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5;
  return small ? value.toExponential(1) : String(Number(value.toPrecision(3)));
}

/** Mix a colour of the scale for a share from 0 to 1. */
function viridis(share) {
  const at = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const i = Math.min(Math.floor(at), VIRIDIS.length - 2);
  const mixed = VIRIDIS[i].map((c, k) => Math.round(c + (at - i) * (VIRIDIS[i + 1][k] - c)));
  return `rgb(${mixed})`;
}

/** Places of numbers between two pixels, the logarithms of the numbers evenly. */
function logScale(values, from, to) {
  const shown = values.filter((v) => v > 0 && v < INFINITE);
  let low = Infinity, high = 0;
  for (const v of shown) { low = Math.min(low, v); high = Math.max(high, v); }
  if (!shown.length) [low, high] = [0.1, 1];
  const room = Math.max(1.1, Math.pow(high / low, 0.04), high / low < 1.5 ? 1.5 : 0);
  [low, high] = [low / room, high * room];
  const place = (v) => from +
    (to - from) * Math.log(Math.min(Math.max(v, low), high) / low) / Math.log(high / low);
  const ticks = [];
  const digits = high / low < 50 ? [1, 2, 3, 5, 7] : high / low < 2000 ? [1, 2, 5] : [1];
  for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++) {
    for (const d of digits) {
      const tick = Number(`${d}e${e}`);
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return { place, ticks, low, high };
}

/** Places of numbers between two pixels, evenly. */
function linearScale(low, high, from, to) {
  if (!(high > low)) [low, high] = [low - 0.5, low + 0.5];
  const place = (v) => from + (to - from) * (v - low) / (high - low);
  const back = (pixel) => low + (high - low) * (pixel - from) / (to - from);
  const raw = (high - low) / 4, unit = Math.pow(10, Math.floor(Math.log10(raw)));
  const step = unit * [1, 2, 5, 10].find((d) => d * unit >= raw);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high * (1 + 1e-9); k++) {
    ticks.push(Number((k * step).toPrecision(12)));
  }
  return { place, back, ticks, low, high };
}

/** Draw the frame of a plot with its ticks and labels. */
function drawAxes(pen, box, x, y, xLabel, yLabel) {
  pen.strokeStyle = pen.fillStyle = INK;
  pen.lineWidth = 1;
  pen.strokeRect(box.left, box.top, box.right - box.left, box.bottom - box.top);
  pen.textAlign = "center";
  pen.textBaseline = "top";
  let free = -Infinity;
  for (const tick of x.ticks) {
    const at = x.place(tick), half = pen.measureText(said(tick)).width / 2;
    line(pen, at, box.bottom, at, box.bottom + 4);
    if (at - half > free && xLabel) pen.fillText(said(tick), at, box.bottom + 6);
    if (at - half > free) free = at + half + 4;
  }
  pen.fillText(xLabel, (box.left + box.right) / 2, box.bottom + 22);
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const tick of y.ticks) {
    line(pen, box.left - 4, y.place(tick), box.left, y.place(tick));
    pen.fillText(said(tick), box.left - 7, y.place(tick));
  }
  pen.save();
  pen.translate(12, (box.top + box.bottom) / 2);
  pen.rotate(-Math.PI / 2);
  pen.textAlign = "center";
  pen.fillText(yLabel, 0, 0);
  pen.restore();
}

function line(pen, x0, y0, x1, y1) {
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
}

function disc(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
}

/** Where the mouse is on a canvas. */
function mouse(event) {
  const box = event.currentTarget.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function withUnit(column) {
  return column.unit ? `${column.label} (${column.unit})` : column.label;
}
