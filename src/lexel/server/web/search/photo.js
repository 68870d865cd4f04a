// The large view of a photo: the picture, its facts, what the model sees in it, and ways on from it.

import { call, pictureURL } from "../core/api.js";
import { announce, bar, el, latest, percent } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { nameOf } from "./query.js";

const SHOWN_SIDE = 1600; // pixels

/** Build the view. `step(±1)` goes to a neighbour, `alike(photo, sign)` searches on, `closed()` is told of the end. */
export function photoView({ step, alike, closed }) {
  const title = el("h2", { id: "photo-title" });
  const image = el("img", { alt: "" });
  const facts = el("dl", { class: "facts" });
  const seen = el("section", { class: "seen" });
  const aside = el("div", { class: "about" });
  const button = (name, label, onclick, text = null) =>
    el("button", { type: "button", class: text ? "" : "quiet", "aria-label": text ? null : label, title: label, onclick }, icon(name), text);
  const dialog = el("dialog", { class: "photo-view", "aria-labelledby": "photo-title", tabindex: "-1" },
    el("div", { class: "stage" }, image,
      el("div", { class: "steps" }, button("left", "The photo before", () => step(-1)), button("right", "The next photo", () => step(1)))),
    el("div", { class: "side" },
      el("header", {}, title, button("close", "Close", () => close())),
      el("div", { class: "actions" },
        button("alike", "More like this", () => leave(1), "More like this"),
        button("plus", "Add to the search", () => leave(1, true), "And this"),
        button("minus", "Less like this", () => leave(-1, true), "Not this")),
      aside));
  aside.append(seen, facts);
  let shown = null;

  const load = latest(async (signal, id) => {
    const answers = [call(`v1/photos/${id}`, { signal }), call(`page/photos/${id}/seen`, { signal })];
    answers[1].catch(() => {});
    showFacts(await answers[0]);
    try {
      showSeen(await answers[1]);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      seen.replaceChildren(el("p", { class: "notice" }, error.message));
    }
  });

  async function open(id, name) {
    shown = { id, name };
    title.textContent = name ?? `Photo ${id}`;
    image.alt = "";
    image.removeAttribute("src");
    facts.replaceChildren();
    seen.replaceChildren(el("p", { class: "waiting" }, "Looking …"));
    if (!dialog.open) {
      dialog.showModal();
      dialog.focus();
    }
    pictureURL(`v1/photos/${id}/image?side=${SHOWN_SIDE}`).then(address => { if (shown?.id === id) image.src = address; }, () => {});
    image.onerror = async () => { image.onerror = null; image.src = await pictureURL(`v1/photos/${id}/thumbnail`); };
    try {
      await load(id);
    } catch (error) {
      seen.replaceChildren(el("p", { class: "notice", role: "alert" }, error.message));
    }
  }

  function showFacts(photo) {
    shown.name = title.textContent = nameOf(photo);
    image.alt = photo.caption?.split("\n")[0] ?? shown.name;
    const place = photo.latitude === null || photo.latitude === undefined ? null : `${photo.latitude.toFixed(4)}, ${photo.longitude.toFixed(4)}`;
    const rows = {
      Caption: photo.caption, Tags: [...(photo.tags ?? []), ...(photo.keywords ?? [])].join(", "), Description: photo.description,
      Taken: photo.taken?.replace("T", " "), Camera: photo.camera, Place: place,
      Size: photo.width ? `${photo.width} × ${photo.height} pixels${photo.size ? `, ${Math.max(1, Math.round(photo.size / 1000)).toLocaleString("en")} kB` : ""}` : null,
      File: photo.path, Number: photo.id,
    };
    facts.replaceChildren(...Object.entries(rows).filter(([, value]) => value !== null && value !== undefined && value !== "")
      .flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))]));
    announce(shown.name);
  }

  function showSeen({ labels, captions }) {
    const rows = texts => el("ul", { class: "bars" }, texts.map(({ text, match, strength }) =>
      el("li", { class: strength }, el("span", { class: "text" }, text), bar(match, strength), el("span", { class: "number" }, percent(match)))));
    seen.replaceChildren(
      el("h3", {}, "What the model sees"),
      labels.length ? rows(labels) : el("p", {}, "None of the words that are tried fits."),
      captions.length ? el("h3", {}, "Captions of this library that fit best") : "", captions.length ? rows(captions) : "",
      el("p", { class: "note" }, "The share says how likely the words and this picture belong together."));
  }

  function leave(sign, isAdded = false) {
    const photo = shown;
    close(true);
    alike(photo, sign, isAdded);
  }

  // Closed at once and not on the dialog's own event, which comes later: it would take the focus from where a fast
  // hand has moved it since.
  function close(isLeaving = false) {
    if (!shown) return;
    load.cancel();
    shown = null;
    dialog.close();
    closed(isLeaving);
  }

  dialog.addEventListener("cancel", event => { event.preventDefault(); close(); });
  dialog.addEventListener("close", () => close());
  dialog.addEventListener("click", event => { if (event.target === dialog) close(); });
  dialog.addEventListener("keydown", event => {
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      event.preventDefault();
      step(event.key === "ArrowLeft" ? -1 : 1);
    }
  });
  return { element: dialog, open, close: () => close(), get id() { return shown?.id ?? null; } };
}
