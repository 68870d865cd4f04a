// The search field: chips of words and pictures with a plus or a minus, and the words that are being typed.

import { announce, el } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { chooseButton } from "../core/pictures.js";
import { chipPicture, picturePart, textPart } from "./query.js";

/** Build the field. `query` is changed in place; `changed(isTyping)` is called after each change. */
export function searchField(query, { changed, problem, thumbnailOf, toGrid }) {
  const chips = el("ul", { class: "chips", "aria-label": "Words and pictures that are combined" });
  const input = el("input", {
    type: "search", id: "words", class: "words", value: query.text, autocomplete: "off", spellcheck: "false",
    placeholder: "A red bicycle in the snow", "aria-label": "What is to be seen", "aria-describedby": "hint", enterkeyhint: "search",
  });
  const plus = action("plus", "More of this", () => keep(1));
  const minus = action("minus", "Without this", () => keep(-1));
  const picture = el("button", { type: "button", class: "quiet", title: "Search by a picture", "aria-label": "Search by a picture" }, icon("picture"));
  const field = el("div", { class: "field", onclick: event => { if (!event.target.closest("button, input")) input.focus(); } },
    icon("search"), el("div", { class: "asked" }, chips, input), el("div", { class: "buttons" }, plus, minus, picture));
  chooseButton(picture, add, problem, true);

  function action(name, label, onclick) {
    return el("button", { type: "button", class: "quiet", title: label, "aria-label": label, onclick }, icon(name));
  }

  function keep(sign) {
    const words = input.value.trim().replace(/^[-−]\s*/, "");
    if (!words) { input.focus(); return; }
    query.parts.push(textPart(words, sign));
    setText("");
    announce(`${sign < 0 ? "Without" : "With"} ${words}`);
    input.focus();
    refresh();
  }

  /** Pictures that were dropped, pasted or chosen become chips. */
  function add(pictures) {
    for (const one of pictures) query.parts.push(picturePart(one));
    announce(`Searching by ${pictures.map(one => one.name).join(", ")}`);
    refresh();
  }

  function setText(text) {
    query.text = input.value = text;
  }

  function refresh(isTyping = false) {
    draw();
    changed(isTyping);
  }

  function draw() {
    chips.replaceChildren(...query.parts.map((part, index) => chip(part, index)));
    chips.hidden = !query.parts.length;
    const hasWords = Boolean(query.text.trim());
    plus.hidden = minus.hidden = !hasWords;
    input.placeholder = query.parts.length ? "and …" : "A red bicycle in the snow";
  }

  function chip(part, index) {
    const isPlus = part.sign > 0;
    const meaning = isPlus ? "with" : part.kind === "text" ? "without" : "less like";
    const turn = () => { part.sign = -part.sign; announce(`${part.name}: ${part.sign > 0 ? "with" : "without"}`); refresh(); focusChip(index); };
    const remove = () => {
      query.parts.splice(index, 1);
      announce(`${part.name} removed`);
      refresh();
      query.parts.length ? focusChip(Math.min(index, query.parts.length - 1)) : input.focus();
    };
    return el("li", { class: `chip ${isPlus ? "plus" : "minus"}` },
      el("button", { type: "button", class: "sign", "aria-label": `${part.name}, ${meaning}: change`, title: isPlus ? "With: click for without" : "Without: click for with", onclick: turn }, icon(isPlus ? "plus" : "minus"), chipPicture(part, thumbnailOf), el("span", { class: "name" }, part.name)),
      el("button", { type: "button", class: "remove", "aria-label": `Remove ${part.name}`, onclick: remove }, icon("close")));
  }

  const focusChip = index => chips.children[index]?.querySelector("button").focus();

  input.addEventListener("input", () => { query.text = input.value; refresh(true); });
  input.addEventListener("keydown", event => {
    if (event.key === "Enter") {
      event.preventDefault();
      if (/^[-−]\s*\S/.test(input.value)) keep(-1);
      else if (event.shiftKey) keep(1);
      else changed(false);
    } else if (event.key === "Backspace" && !input.value && query.parts.length) {
      announce(`${query.parts.pop().name} removed`);
      refresh();
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (input.value) { setText(""); refresh(); } else input.blur();
    } else if (event.key === "ArrowDown") {
      event.preventDefault();
      toGrid();
    }
  });
  draw();
  return { element: field, input, draw() { input.value = query.text; draw(); }, add };
}
