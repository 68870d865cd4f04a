// The endless grid of thumbnails: more are asked for as the end comes near; arrows go from photo to photo.

import { pictureURL } from "../core/api.js";
import { el, percent } from "../core/dom.js";
import { nameOf } from "./query.js";

const AHEAD = "900px"; // before the end comes into sight, more is asked for

export function photoGrid({ open, more, toField, isJudged }) {
  const list = el("ul", { class: "grid", "aria-label": "Photos" });
  const end = el("div", { class: "end" });
  const hits = [];
  let current = 0; // the photo that Tab goes to
  const watcher = new IntersectionObserver(entries => { if (entries.some(entry => entry.isIntersecting)) more(); }, { rootMargin: AHEAD });
  watcher.observe(end);

  function add(found) {
    for (const hit of found) {
      list.append(cell(hit, hits.length));
      hits.push(hit);
    }
    end.classList.remove("is-loading");
    watcher.unobserve(end); // so that an end that is still in sight is told of again
    watcher.observe(end);
  }

  function clear() {
    hits.length = 0;
    current = 0;
    list.replaceChildren();
  }

  function cell(hit, index) {
    const image = el("img", { alt: "", loading: "lazy", decoding: "async", width: hit.width || 1, height: hit.height || 1 });
    pictureURL(`v1/photos/${hit.id}/thumbnail`).then(address => { image.src = address; }, () => image.classList.add("is-broken"));
    const button = el("button", {
      type: "button", class: "photo", tabIndex: index === current ? 0 : -1, data: { index },
      "aria-label": described(hit), onclick: () => open(index), onfocus: () => makeCurrent(index),
    }, image, score(hit, isJudged()));
    return el("li", {}, button);
  }

  function makeCurrent(index) {
    if (list.children[current]) buttonAt(current).tabIndex = -1;
    current = index;
    if (list.children[current]) buttonAt(current).tabIndex = 0;
  }

  const buttonAt = index => list.children[index].firstElementChild;

  function focus(index = current) {
    if (!hits.length) return false;
    makeCurrent(Math.max(0, Math.min(hits.length - 1, index)));
    const button = buttonAt(current);
    button.focus({ preventScroll: true });
    button.scrollIntoView({ block: "nearest" });
    if (current >= hits.length - 8) more();
    return true;
  }

  function columns() {
    const first = list.children[0]?.offsetTop;
    let across = 0;
    while (across < list.children.length && list.children[across].offsetTop === first) across++;
    return Math.max(1, across);
  }

  list.addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(), ArrowUp: -columns() }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      if (current + step < 0) toField();
      else focus(current + step >= hits.length && Math.abs(step) > 1 ? hits.length - 1 : current + step);
    } else if (event.key === "Home" || event.key === "End") {
      event.preventDefault();
      focus(event.key === "Home" ? 0 : hits.length - 1);
    } else if (event.key === "Escape") {
      toField();
    }
  });
  return { elements: [list, end], hits, add, clear, focus, busy: () => end.classList.add("is-loading"), stop: () => watcher.disconnect() };
}

/** How well the words fit; where pictures are asked for too, the match would tell half of it, and the cosine stands. */
function score(hit, isJudged) {
  if (!isJudged || (hit.match ?? null) === null) {
    return (hit.score ?? null) === null ? null : el("span", { class: "score" }, hit.score.toFixed(2));
  }
  return el("span", { class: `score ${hit.strength}` }, percent(hit.match));
}

function described(hit) {
  const parts = [nameOf(hit)];
  if (hit.strength) parts.push(`${hit.strength} match, ${percent(hit.match)}`);
  if (hit.caption) parts.push(hit.caption.split("\n")[0]);
  return parts.join(". ");
}
