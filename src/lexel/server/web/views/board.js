// A board to draw on with mouse, pen, finger or keyboard. What is drawn is a list of strokes, so all can be undone.

import { announce, el } from "../core/dom.js";
import { icon } from "../core/icons.js";

export const SIDE = 512; // pixels of the drawing, whatever size it has on the screen
const COLOURS = { black: "#16181d", grey: "#8a8f98", brown: "#8b5a2b", red: "#d62828", orange: "#f77f00", yellow: "#ffd166", green: "#2a9d4a", "dark green": "#14532d", blue: "#2563eb", "light blue": "#7dc4ff", purple: "#7b2cbf", pink: "#ff7bac" };
const SIZES = { fine: 4, medium: 10, thick: 22, huge: 48 };
const PAPER = "#ffffff";
const KEY_STEP = 8; // pixels that an arrow key moves the keyboard's pen by

/** Build the board; `changed()` is called after each change of the drawing. */
export function drawingBoard(changed) {
  const canvas = el("canvas", {
    class: "board", width: SIDE, height: SIDE, tabIndex: 0, role: "application", "aria-roledescription": "drawing board",
    "aria-label": "Drawing board. Arrow keys move the pen, Space puts it down or lifts it, Control Z undoes.",
  });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const cursor = el("div", { class: "cursor", hidden: true });
  let strokes = [], undone = [], stroke = null, locked = false;
  const pen = { colour: COLOURS.black, size: SIZES.medium, erases: false };
  const keyboard = { x: SIDE / 2, y: SIDE / 2, isDown: false };

  const colours = el("div", { class: "colours", role: "group", "aria-label": "Colours" }, Object.entries(COLOURS).map(([name, value]) => {
    const button = el("button", { type: "button", "aria-label": name, title: name, "aria-pressed": String(value === pen.colour), data: { colour: value }, onclick: () => { pen.colour = value; pen.erases = false; mark(); } });
    button.style.setProperty("--colour", value);
    return button;
  }));
  const sizes = el("div", { class: "sizes", role: "group", "aria-label": "Width of the pen" }, Object.entries(SIZES).map(([name, value]) => {
    const dot = el("span", { class: "dot" });
    dot.style.setProperty("--size", `${Math.max(4, value * 0.5)}px`);
    return el("button", { type: "button", "aria-label": name, title: name, data: { size: value }, onclick: () => { pen.size = value; mark(); } }, dot);
  }));
  const tool = (name, label, onclick, pressed) => el("button", { type: "button", class: "quiet", "aria-label": label, title: label, "aria-pressed": pressed, onclick }, icon(name));
  const penButton = tool("pen", "Pen", () => { pen.erases = false; mark(); }, "true");
  const eraser = tool("eraser", "Eraser", () => { pen.erases = true; mark(); }, "false");
  const undoButton = tool("undo", "Undo", undo);
  const redoButton = tool("redo", "Redo", redo);
  const clearButton = tool("bin", "Clear the board", clear);
  const tools = el("div", { class: "tools" }, el("div", { class: "row" }, penButton, eraser, sizes, undoButton, redoButton, clearButton), colours);

  function mark() {
    penButton.setAttribute("aria-pressed", String(!pen.erases));
    eraser.setAttribute("aria-pressed", String(pen.erases));
    for (const button of colours.children) button.setAttribute("aria-pressed", String(!pen.erases && button.dataset.colour === pen.colour));
    for (const button of sizes.children) button.setAttribute("aria-pressed", String(Number(button.dataset.size) === pen.size));
    undoButton.disabled = !strokes.length || locked;
    redoButton.disabled = !undone.length || locked;
    clearButton.disabled = !strokes.length || locked;
    cursor.style.setProperty("--size", `${pen.size / SIDE * 100}%`);
  }

  function redraw() {
    context.fillStyle = PAPER;
    context.fillRect(0, 0, SIDE, SIDE);
    for (const one of strokes) paint(one);
  }

  function paint({ points, colour, size }) {
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = size;
    context.strokeStyle = context.fillStyle = colour;
    context.beginPath();
    if (points.length === 1) {
      context.arc(points[0][0], points[0][1], size / 2, 0, 7);
      context.fill();
      return;
    }
    context.moveTo(...points[0]);
    for (let i = 1; i < points.length - 1; i++) { // through the middles, so that a quick hand draws curves
      const [x, y] = points[i], [nextX, nextY] = points[i + 1];
      context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
    }
    context.lineTo(...points.at(-1));
    context.stroke();
  }

  const begin = point => { stroke = { points: [point], colour: pen.erases ? PAPER : pen.colour, size: pen.size * (pen.erases ? 1.6 : 1) }; strokes.push(stroke); undone = []; redraw(); mark(); };
  const extend = point => { stroke.points.push(point); redraw(); };

  function end() {
    if (!stroke) return;
    stroke = null;
    changed();
  }

  function undo() {
    if (!strokes.length || locked) return;
    undone.push(strokes.pop());
    after("Undone");
  }

  function redo() {
    if (!undone.length || locked) return;
    strokes.push(undone.pop());
    after("Done again");
  }

  function clear() {
    if (!strokes.length || locked) return;
    undone = [];
    strokes = [];
    after("The board is empty");
  }

  function after(message) {
    redraw();
    mark();
    announce(message);
    changed();
  }

  const at = event => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width * SIDE, (event.clientY - box.top) / box.height * SIDE];
  };
  canvas.addEventListener("pointerdown", event => {
    if (locked || event.button !== 0) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    keyboard.isDown = false;
    cursor.hidden = true;
    begin(at(event));
  });
  canvas.addEventListener("pointermove", event => {
    if (!stroke || keyboard.isDown) return;
    for (const one of event.getCoalescedEvents?.() ?? [event]) stroke.points.push(at(one));
    redraw();
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { if (!keyboard.isDown) end(); });

  canvas.addEventListener("keydown", event => {
    const isCommand = event.ctrlKey || event.metaKey;
    if (isCommand && event.key.toLowerCase() === "z") { event.preventDefault(); event.shiftKey ? redo() : undo(); return; }
    if (isCommand && event.key.toLowerCase() === "y") { event.preventDefault(); redo(); return; }
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (locked || isCommand) return;
    if (step) {
      event.preventDefault();
      const far = event.shiftKey ? 4 * KEY_STEP : KEY_STEP;
      keyboard.x = Math.min(SIDE, Math.max(0, keyboard.x + step[0] * far));
      keyboard.y = Math.min(SIDE, Math.max(0, keyboard.y + step[1] * far));
      showCursor();
      if (keyboard.isDown) extend([keyboard.x, keyboard.y]);
    } else if (event.key === " ") {
      event.preventDefault();
      keyboard.isDown = !keyboard.isDown;
      if (keyboard.isDown) begin([keyboard.x, keyboard.y]); else end();
      announce(keyboard.isDown ? "Pen down" : "Pen up");
      showCursor();
    }
  });
  canvas.addEventListener("blur", () => { if (keyboard.isDown) { keyboard.isDown = false; end(); } cursor.hidden = true; });

  function showCursor() {
    cursor.hidden = false;
    cursor.classList.toggle("is-down", keyboard.isDown);
    cursor.style.left = `${keyboard.x / SIDE * 100}%`;
    cursor.style.top = `${keyboard.y / SIDE * 100}%`;
  }

  redraw();
  mark();
  return {
    element: el("div", { class: "board-frame" }, canvas, cursor), tools, canvas,
    picture: () => canvas.toDataURL("image/png"),
    get isEmpty() { return !strokes.length; },
    reset() { strokes = []; undone = []; stroke = null; locked = false; keyboard.isDown = false; redraw(); mark(); },
    lock() { end(); locked = true; mark(); },
  };
}
