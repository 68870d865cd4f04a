// How well a photo has to fit, when it was taken, its shape, and any condition over its columns.

import { el } from "../core/dom.js";
import { FILTERS } from "./query.js";

/** Build the filters. `query.filters` is changed in place, then `changed()` called. */
export function searchFilters(query, changed) {
  const fields = {
    least: choice([["", "all, the nearest first"], ["possible", "possible and strong matches"], ["strong", "strong matches"]]),
    after: el("input", { type: "date" }),
    before: el("input", { type: "date" }),
    orientation: choice([["", "any"], ["landscape", "landscape"], ["portrait", "portrait"], ["square", "square"]]),
    where: el("input", { type: "text", placeholder: "width > 1000 AND camera LIKE 'Canon%'", spellcheck: "false", autocomplete: "off" }),
  };
  const names = { least: "Show", after: "Taken on or after", before: "Taken before", orientation: "Shape", where: "Condition" };
  const form = el("form", { class: "filters", id: "filters", "aria-label": "Filters", onsubmit: event => { event.preventDefault(); take(); } });
  for (const name of FILTERS) {
    const field = fields[name];
    field.id = `filter-${name}`;
    field.addEventListener("change", take);
    form.append(el("div", { class: `filter ${name}` }, el("label", { for: field.id }, names[name]), field));
  }
  form.append(el("button", { type: "button", class: "clear", onclick: clear }, "Clear filters"));

  function choice(options) {
    return el("select", {}, options.map(([value, name]) => el("option", { value }, name)));
  }

  function take() {
    const before = JSON.stringify(query.filters);
    query.filters = Object.fromEntries(FILTERS.map(name => [name, fields[name].value.trim()]).filter(([, value]) => value));
    if (JSON.stringify(query.filters) !== before) changed();
  }

  function clear() {
    query.filters = {};
    draw();
    changed();
  }

  function draw() {
    for (const name of FILTERS) fields[name].value = query.filters[name] ?? "";
  }

  draw();
  return { element: form, draw };
}
