// A map of thumbnails on a canvas: drag to move, scroll or pinch to come nearer, or walk through the list of groups.
//
// It needs no other module: `lexel map` writes it into one HTML file.

const TURN = 137.508; // degrees from the colour of one group to that of the next
const NEAREST_TILE = 18; // pixels on the screen from which a photo is shown as a thumbnail, not as a dot
const LARGEST_ZOOM = 90;
const SHARP_TILE = 72; // pixels on the screen from which a sharper thumbnail is fetched
const MAX_SHARP = 240; // sharper thumbnails that are kept
const STEP = 0.18; // of the view, that an arrow key moves it by

/**
 * Show a map in `frame`. `data` is what the server gives; `sheets` are promises of the sheets of thumbnails (images).
 * `sharp(id)`, where there is one, promises a sharper thumbnail; `open(index)` is called for a photo that is chosen.
 */
export function spaceMap(frame, data, { sheets, sharp = null, open = null, say = () => {} }) {
  const canvas = document.createElement("canvas");
  canvas.className = "map-canvas";
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-roledescription", "map");
  canvas.setAttribute("aria-label", `Map of ${data.ids.length} photos in ${data.groups.length} groups. Arrows move it, plus and minus zoom, Enter opens the photo in the middle. The list of groups leads to each of them.`);
  const label = document.createElement("div");
  label.className = "map-label";
  label.hidden = true;
  frame.append(canvas, label);
  const context = canvas.getContext("2d");
  const images = sheets.map(() => null);
  sheets.forEach((sheet, number) => sheet.then(image => { images[number] = image; redraw(); }, () => {}));
  const finer = new Map(); // index → image, or null while it is fetched
  const shown = { photos: true, texts: data.texts.length > 0 && frame.dataset.texts !== "off", group: null };
  const view = { x: 0, y: 0, zoom: 1 };
  let width = 1, height = 1, waiting = false, hovered = -1, moving = null;

  const colour = (group, alpha = 1) => `hsl(${(group * TURN) % 360} 68% ${isDark() ? 64 : 44}% / ${alpha})`;
  const isDark = () => getComputedStyle(frame).colorScheme.startsWith("dark") || (getComputedStyle(frame).colorScheme.includes("light dark") && matchMedia("(prefers-color-scheme: dark)").matches);
  const unit = () => Math.min(width, height) / 2.15 * view.zoom; // pixels to 1 of the map
  const toScreen = (x, y) => [width / 2 + (x - view.x) * unit(), height / 2 + (y - view.y) * unit()];
  const toMap = (x, y) => [(x - width / 2) / unit() + view.x, (y - height / 2) / unit() + view.y];
  // Thumbnails grow more slowly than distances, so that coming nearer parts those that overlap.
  const tileSize = () => Math.min(160, Math.max(4, 900 / Math.sqrt(data.ids.length) * Math.pow(view.zoom, 0.55) * Math.min(width, height) / 800));

  function redraw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  }

  function draw() {
    const style = getComputedStyle(frame);
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, width, height);
    if (shown.photos) drawPhotos();
    if (shown.texts) drawTexts(style);
    if (shown.photos) drawNames(style);
    if (hovered >= 0) drawFrame(hovered);
  }

  function drawPhotos() {
    const size = tileSize(), half = size / 2;
    for (let index = 0; index < data.ids.length; index++) {
      const [x, y] = toScreen(data.x[index], data.y[index]);
      if (x < -half || y < -half || x > width + half || y > height + half) continue;
      const faded = shown.group !== null && data.group[index] !== shown.group;
      context.globalAlpha = faded ? 0.12 : 1;
      if (size < NEAREST_TILE || !drawTile(index, x, y, size)) {
        context.fillStyle = colour(data.group[index]);
        context.beginPath();
        context.arc(x, y, Math.max(2, size / 3), 0, 7);
        context.fill();
      }
    }
    context.globalAlpha = 1;
  }

  function drawTile(index, x, y, size) {
    const better = size >= SHARP_TILE && sharp ? sharper(index) : null;
    if (better) {
      const side = Math.min(better.naturalWidth, better.naturalHeight);
      context.drawImage(better, (better.naturalWidth - side) / 2, (better.naturalHeight - side) / 2, side, side, x - size / 2, y - size / 2, size, size);
    } else {
      const { tile, columns, per_sheet: perSheet } = data.sheets;
      const image = images[Math.floor(index / perSheet)];
      if (!image) return false;
      const position = index % perSheet;
      context.drawImage(image, position % columns * tile, Math.floor(position / columns) * tile, tile, tile, x - size / 2, y - size / 2, size, size);
    }
    context.lineWidth = Math.max(1, size / 26);
    context.strokeStyle = colour(data.group[index]);
    context.strokeRect(x - size / 2, y - size / 2, size, size);
    return true;
  }

  function sharper(index) {
    if (finer.has(index)) return finer.get(index);
    finer.set(index, null);
    if (finer.size > MAX_SHARP) finer.delete(finer.keys().next().value);
    sharp(data.ids[index]).then(image => { if (finer.has(index)) { finer.set(index, image); redraw(); } }, () => {});
    return null;
  }

  function drawTexts(style) {
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "left";
    const taken = [];
    for (const text of data.texts) {
      const [x, y] = toScreen(text.x, text.y);
      if (x < -300 || y < -20 || x > width + 20 || y > height + 20) continue;
      const faded = shown.group !== null && data.group[text.photo] !== shown.group;
      context.globalAlpha = faded ? 0.1 : 1;
      context.fillStyle = colour(data.group[text.photo]);
      context.beginPath();
      context.moveTo(x, y - 4); context.lineTo(x + 4, y); context.lineTo(x, y + 4); context.lineTo(x - 4, y);
      context.fill();
      const words = text.text.length > 44 ? `${text.text.slice(0, 43)}…` : text.text;
      const box = [x + 7, y - 8, x + 7 + 6.2 * words.length, y + 8];
      if (faded || taken.some(other => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) continue;
      taken.push(box);
      written(words, x + 7, y + 4, style);
    }
    context.globalAlpha = 1;
  }

  function drawNames(style) {
    context.font = "600 14px system-ui, sans-serif";
    context.textAlign = "center";
    const taken = [];
    const order = data.groups.map((group, number) => number).sort((a, b) => data.groups[b].count - data.groups[a].count);
    for (const number of order) {
      const group = data.groups[number];
      if (shown.group !== null && shown.group !== number) continue;
      const [x, y] = toScreen(group.x, group.y);
      const name = group.names[0];
      const half = name.length * 4.2 + 6;
      const box = [x - half, y - 12, x + half, y + 12];
      if (x < -half || y < 0 || x > width + half || y > height) continue;
      if (taken.some(other => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) continue;
      taken.push(box);
      written(name, x, y + 5, style);
    }
  }

  /** Text with a rim of the ground's colour, so that it can be read on any picture. */
  function written(text, x, y, style) {
    context.lineJoin = "round";
    context.lineWidth = 4;
    context.strokeStyle = style.backgroundColor;
    context.strokeText(text, x, y);
    context.fillStyle = style.color;
    context.fillText(text, x, y);
  }

  function drawFrame(index) {
    const [x, y] = toScreen(data.x[index], data.y[index]);
    const size = Math.max(tileSize() * 1.35, 46);
    drawTile(index, x, y, size);
    context.lineWidth = 3;
    context.strokeStyle = getComputedStyle(frame).color;
    context.strokeRect(x - size / 2, y - size / 2, size, size);
  }

  function nearest(x, y, within = Math.max(tileSize() * 0.75, 12)) {
    let best = -1, least = within ** 2;
    for (let index = 0; index < data.ids.length; index++) {
      if (shown.group !== null && data.group[index] !== shown.group) continue;
      const [px, py] = toScreen(data.x[index], data.y[index]);
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance <= least) { least = distance; best = index; }
    }
    return best;
  }

  function hover(x, y) {
    const found = shown.photos ? nearest(x, y) : -1;
    if (found !== hovered) { hovered = found; redraw(); }
    canvas.classList.toggle("on-photo", found >= 0);
    label.hidden = found < 0;
    if (found < 0) return;
    label.textContent = data.names[found];
    label.style.left = `${Math.min(width - 120, x + 16)}px`;
    label.style.top = `${Math.min(height - 40, y + 16)}px`;
  }

  function zoomAt(factor, x = width / 2, y = height / 2) {
    const [mapX, mapY] = toMap(x, y);
    view.zoom = Math.min(LARGEST_ZOOM, Math.max(0.6, view.zoom * factor));
    view.x = mapX - (x - width / 2) / unit();
    view.y = mapY - (y - height / 2) / unit();
    keepInside();
    redraw();
  }

  function keepInside() {
    view.x = Math.min(1.2, Math.max(-1.2, view.x));
    view.y = Math.min(1.2, Math.max(-1.2, view.y));
  }

  /** Glide to a place; at once where people want less motion. */
  function goTo(x, y, zoom) {
    const from = { ...view }, began = performance.now();
    const length = matchMedia("(prefers-reduced-motion: reduce)").matches ? 1 : 450;
    moving = {};
    const own = moving;
    const step = now => {
      if (moving !== own) return;
      const part = Math.min(1, (now - began) / length), eased = part * part * (3 - 2 * part);
      view.zoom = from.zoom * (zoom / from.zoom) ** eased;
      view.x = from.x + (x - from.x) * eased;
      view.y = from.y + (y - from.y) * eased;
      draw();
      if (part < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  function showGroup(number) {
    shown.group = number;
    hovered = -1;
    label.hidden = true;
    if (number === null) { goTo(0, 0, 1); return; }
    const xs = [], ys = [];
    data.group.forEach((group, index) => { if (group === number) { xs.push(data.x[index]); ys.push(data.y[index]); } });
    const span = values => { values.sort((a, b) => a - b); return [values[Math.floor(values.length * 0.1)], values[Math.floor((values.length - 1) * 0.9)]]; };
    const [left, right] = span(xs), [top, bottom] = span(ys);
    goTo((left + right) / 2, (top + bottom) / 2, Math.min(30, Math.max(1, 1.3 / Math.max(right - left, bottom - top, 0.05))));
    say(`${data.groups[number].names.join(", ")}: ${data.groups[number].count} photos`);
  }

  const pointers = new Map();
  let dragged = 0, pinch = null;
  canvas.addEventListener("pointerdown", event => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    moving = null;
    dragged = 0;
    pinch = null;
  });
  canvas.addEventListener("pointermove", event => {
    const before = pointers.get(event.pointerId);
    if (!before) { hover(event.offsetX, event.offsetY); return; }
    pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    if (pointers.size === 2) {
      const [[ax, ay], [bx, by]] = [...pointers.values()];
      const now = { distance: Math.hypot(ax - bx, ay - by), x: (ax + bx) / 2, y: (ay + by) / 2 };
      if (pinch) {
        view.x -= (now.x - pinch.x) / unit();
        view.y -= (now.y - pinch.y) / unit();
        zoomAt(now.distance / pinch.distance, now.x, now.y);
      }
      pinch = now;
      dragged = 100;
      return;
    }
    view.x -= (event.offsetX - before[0]) / unit();
    view.y -= (event.offsetY - before[1]) / unit();
    dragged += Math.abs(event.offsetX - before[0]) + Math.abs(event.offsetY - before[1]);
    keepInside();
    redraw();
  });
  const release = event => { pointers.delete(event.pointerId); pinch = null; };
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerup", event => {
    release(event);
    if (dragged > 6 || !shown.photos) return;
    const found = nearest(event.offsetX, event.offsetY);
    if (found >= 0) open?.(found);
  });
  canvas.addEventListener("pointerleave", () => { if (hovered >= 0) { hovered = -1; redraw(); } label.hidden = true; });
  canvas.addEventListener("wheel", event => { event.preventDefault(); moving = null; zoomAt(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), event.offsetX, event.offsetY); }, { passive: false });
  canvas.addEventListener("dblclick", event => zoomAt(2, event.offsetX, event.offsetY));
  canvas.addEventListener("keydown", event => {
    const far = STEP * Math.min(width, height) / unit();
    const move = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] }[event.key];
    if (move) { view.x += move[0]; view.y += move[1]; keepInside(); }
    else if (event.key === "+" || event.key === "=") zoomAt(1.35);
    else if (event.key === "-") zoomAt(1 / 1.35);
    else if (event.key === "0" || event.key === "Escape") showGroup(null);
    else if (event.key === "Enter" && hovered >= 0) open?.(hovered);
    else return;
    event.preventDefault();
    if (event.key !== "Enter") {
      hovered = nearest(width / 2, height / 2, Infinity);
      if (hovered >= 0) say(`${data.names[hovered]}, in ${data.groups[data.group[hovered]].names[0]}`);
    }
    redraw();
  });

  const sizes = new ResizeObserver(() => {
    width = frame.clientWidth;
    height = frame.clientHeight;
    canvas.width = Math.round(width * devicePixelRatio);
    canvas.height = Math.round(height * devicePixelRatio);
    redraw();
  });
  sizes.observe(frame);
  const themes = matchMedia("(prefers-color-scheme: dark)");
  themes.addEventListener("change", redraw);
  const marks = new MutationObserver(redraw);
  marks.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });

  return {
    colour, showGroup, zoom: factor => zoomAt(factor), redraw,
    set texts(on) { shown.texts = on; redraw(); },
    set photos(on) { shown.photos = on; redraw(); },
    view,
    stop() { moving = null; sizes.disconnect(); marks.disconnect(); themes.removeEventListener("change", redraw); },
  };
}

/** The list of groups beside a map, which is the keyboard's way through it. */
export function groupList(map, data) {
  const list = document.createElement("ul");
  list.className = "groups";
  list.setAttribute("aria-label", "Groups");
  const entries = [["All photos", data.ids.length, null], ...data.groups.map((group, number) => [group.names[0], group.count, number, group.names.join(", ")])];
  for (const [name, size, number, more] of entries) {
    const button = document.createElement("button");
    button.type = "button";
    if (more) button.title = more;
    button.setAttribute("aria-pressed", String(number === null));
    const dot = document.createElement("span");
    dot.className = "dot";
    if (number !== null) dot.style.setProperty("--hue", `${(number * TURN) % 360}`);
    const text = document.createElement("span");
    text.className = "name";
    text.textContent = name;
    const counted = document.createElement("span");
    counted.className = "counted";
    counted.textContent = size.toLocaleString("en");
    button.append(dot, text, counted);
    button.addEventListener("click", () => {
      for (const other of list.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
      map.showGroup(number);
    });
    const item = document.createElement("li");
    item.append(button);
    list.append(item);
  }
  return list;
}

/** In a sentence, how far apart the model keeps pictures and texts. */
export function gapInWords(data) {
  if (data.gap === null) return null;
  return `The middle of all pictures and the middle of all captions are ${data.gap.toFixed(2)} apart, where 0 is the same place and 2 the opposite side of the sphere. This is the modality gap: most models keep the two kinds apart, and only which picture is nearest to which caption counts.`;
}
