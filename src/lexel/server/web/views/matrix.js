// Several pictures against several texts: every cosine, or which text each picture would choose.

import { call, pictureURL } from "../core/api.js";
import { debounced, el, latest, percent } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { fetchPicture } from "../core/pictures.js";

const MAX_PICTURES = 8;
const MAX_TEXTS = 12;
const FIRST = 5; // sample pictures that it begins with
const KINDS = { probabilities: "shares of each row", matches: "matches", cosines: "cosines" };

export function similarityMatrix(samples, complain) {
  const pictures = [];
  let answer = null;
  const texts = el("textarea", { id: "texts", rows: 5 });
  const kind = el("select", { id: "matrix-kind", onchange: () => draw() }, Object.entries(KINDS).map(([value, name]) => el("option", { value }, name)));
  const table = el("div", { class: "matrix-frame", tabindex: "0", role: "region", "aria-label": "Similarities" });
  const ask = latest((signal, body) => call("v1/similarity", { body, signal }));

  const compare = debounced(async () => {
    const asked = wanted();
    answer = null;
    if (!pictures.length || !asked.length) { draw(); return; }
    try {
      const found = await ask({ images: pictures.map(one => one.url), texts: asked });
      if (!found) return;
      answer = { ...found, texts: asked };
      draw();
    } catch (error) {
      complain(error.message);
    }
  }, 250);

  const wanted = () => [...new Set(texts.value.split("\n").map(line => line.trim()).filter(Boolean))].slice(0, MAX_TEXTS);

  function draw() {
    if (!answer) {
      table.replaceChildren(el("p", { class: "note" }, "Give at least one picture and one text."));
      return;
    }
    const values = answer[kind.value];
    const flat = values.flat();
    const [low, high] = kind.value === "cosines" ? [Math.min(...flat), Math.max(...flat)] : [0, 1];
    const head = el("tr", {}, el("td", {}), answer.texts.map(text => el("th", { scope: "col" }, el("span", {}, text))));
    const rows = values.map((row, index) => {
      const best = row.indexOf(Math.max(...row));
      return el("tr", {}, el("th", { scope: "row" }, pictureHead(pictures[index], index)), row.map((value, column) => {
        const cell = el("td", { class: column === best ? "best" : "" }, kind.value === "cosines" ? value.toFixed(2) : percent(value));
        cell.style.setProperty("--share", high > low ? (value - low) / (high - low) : 0);
        return cell;
      }));
    });
    table.replaceChildren(el("table", { class: "matrix" }, el("thead", {}, head), el("tbody", {}, rows)));
  }

  function pictureHead(picture, index) {
    return el("span", { class: "matrix-picture" }, el("img", { src: picture.url, alt: picture.name, width: 56, height: 56 }),
      el("button", { type: "button", class: "quiet", "aria-label": `Remove ${picture.name}`, onclick: () => { pictures.splice(index, 1); compare.now(); } }, icon("close")));
  }

  function addPicture(picture) {
    if (pictures.some(one => one.url === picture.url)) return;
    pictures.push(picture);
    if (pictures.length > MAX_PICTURES) pictures.shift();
    compare();
  }

  texts.addEventListener("input", compare);
  const element = el("section", { class: "card compare", "aria-labelledby": "compare-title" },
    el("h2", { id: "compare-title" }, "Pictures against texts"),
    el("p", { class: "note" }, "This is what the model is trained on: of a batch of pictures and captions, each picture is to choose its own caption. Pictures that you drop above come in here too."),
    el("div", { class: "compare-parts" },
      el("div", { class: "compare-asked" }, el("label", { for: "texts" }, "Texts, one a line"), texts, el("div", { class: "row" }, el("label", { for: "matrix-kind" }, "Show"), kind)),
      table));

  return {
    element, addPicture,
    stop() { ask.cancel(); compare.cancel(); },
    async begin() {
      const chosen = samples.pictures.slice(0, FIRST);
      texts.value = chosen.map(one => one.caption).filter(Boolean).join("\n") || "a photo of a person\na photo of an animal\na place outdoors";
      for (const sample of chosen) {
        try {
          pictures.push(await fetchPicture(await pictureURL(sample.url), sample.name));
        } catch { /* one picture fewer to begin with */ }
      }
      await compare.now();
    },
  };
}
