// The map of all embeddings: asked for until it is ready, then shown.

import { call, pictureURL } from "../core/api.js";
import { announce, count, el } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { gapInWords, groupList, spaceMap } from "./space_map.js";

const ASK_EVERY = 700; // milliseconds

export async function show(content, facts) {
  let isOpen = true;
  let map = null;
  const told = el("div", { class: "map-state", role: "status" });
  content.append(el("h1", {}, "Map"), told);

  async function loadImage(path) {
    const image = new Image();
    image.src = await pictureURL(path);
    await image.decode();
    return image;
  }

  async function wait() {
    while (isOpen) {
      const answer = await call("page/map");
      if (!isOpen) return;
      if (answer.state === "ready") { draw(answer.map); return; }
      if (answer.state === "failed") { told.replaceChildren(el("p", { class: "notice" }, answer.problem)); return; }
      showProgress(answer);
      await new Promise(resolve => setTimeout(resolve, ASK_EVERY));
    }
  }

  function showProgress({ parts, seconds }) {
    const time = seconds < 3 ? "" : ` It has taken ${count(Math.round(seconds), "second")} so far.`;
    const list = el("ol", { class: "parts" }, parts.map((part, index) => el("li", { class: index < parts.length - 1 ? "done" : "now" }, part)));
    told.replaceChildren(el("p", {}, `The map is being made; it is kept for the next time.${time}`), list);
  }

  function draw(data) {
    told.remove();
    const frame = el("div", { class: "map-frame" });
    const { per_sheet: perSheet, count: sheetCount } = data.sheets;
    const sheets = Array.from({ length: sheetCount }, (_, number) => loadImage(`page/map/sheets/${number}`));
    const chosen = el("figure", { class: "map-chosen", hidden: true });
    map = spaceMap(frame, data, {
      sheets, say: announce,
      sharp: facts.library ? id => loadImage(`v1/photos/${id}/thumbnail`) : null,
      open: index => {
        if (facts.library) location.hash = `#/search?like=${data.ids[index]}&photo=${data.ids[index]}`;
        else choose(index);
      },
    });

    /** Without a library there is no large view: the scene is shown beside the map. */
    async function choose(index) {
      const image = el("img", { alt: data.names[index], width: 128, height: 128 });
      chosen.replaceChildren(image, el("figcaption", {}, data.names[index]));
      chosen.hidden = false;
      announce(data.names[index]);
      image.src = await pictureURL(`page/scenes/${data.ids[index]}`);
    }

    const button = (name, label, onclick) => el("button", { type: "button", class: "quiet", "aria-label": label, title: label, onclick }, icon(name));
    const toggle = (name, text, on) => {
      const box = el("input", { type: "checkbox", checked: on, onchange: () => { map[name] = box.checked; } });
      return el("label", { class: "tick" }, box, text);
    };
    const hasTexts = data.texts.length > 0;
    if (hasTexts) map.texts = false;
    const gap = gapInWords(data);
    content.append(
      el("p", { class: "lead" }, `${count(data.ids.length, "picture")}, each where its embedding puts it: pictures that are near each other look alike to the model. Drag to move, scroll or pinch to come nearer.`),
      el("div", { class: "map" },
        el("div", { class: "map-side" },
          hasTexts ? el("div", { class: "ticks" }, toggle("photos", "pictures", true), toggle("texts", "captions", false)) : null,
          groupList(map, data), chosen),
        el("div", { class: "map-stage" }, frame,
          el("div", { class: "map-buttons" }, button("plus", "Come nearer", () => map.zoom(1.5)), button("minus", "Go farther away", () => map.zoom(1 / 1.5)), button("fit", "Show all", () => content.querySelector(".groups button").click())))),
      el("p", { class: "note" }, "Distances between far parts of the map mean little: 2 dimensions cannot hold ", String(facts.model.dimensions), ". What lies close together does belong together. The colours are groups of alike pictures, named by words that fit them better than the others."),
      gap ? el("p", { class: "note" }, `${gap} Show the captions to see it.`) : "",
      data.left_out ? el("p", { class: "note" }, `${count(data.left_out, "photo")} more are not on the map: it shows a sample of a large library.`) : "");
    announce(`The map is ready: ${count(data.ids.length, "picture")} in ${count(data.groups.length, "group")}.`);
  }

  wait().catch(error => { if (isOpen) told.replaceChildren(el("p", { class: "notice", role: "alert" }, error.message)); });
  return { go() {}, leave() { isOpen = false; map?.stop(); } };
}
