// What is asked of the library: words, pictures and filters, as they stand in the address and as the server takes them.
//
// A part is {kind: "text" | "photo" | "picture", value, sign: 1 | −1, name, url}. Pictures that a person gave cannot
// stand in an address: they are kept here while the page is open.

import { el } from "../core/dom.js";

const given = new Map(); // key → {url, name}
const PHOTOS_AT_ONCE = 60;
export const FILTERS = ["least", "after", "before", "orientation", "where"];
export const ALL_PHOTOS = "id > 0"; // a condition that every photo meets: the newest come first

export const textPart = (value, sign = 1) => ({ kind: "text", value, sign, name: value });
export const photoPart = (id, name, sign = 1) => ({ kind: "photo", value: Number(id), sign, name: name ?? `photo ${id}` });

export function picturePart({ url, name }, sign = 1) {
  const key = `given-${given.size + 1}`;
  given.set(key, { url, name });
  return { kind: "picture", value: key, sign, name, url };
}

/** What an address asks. */
export function readQuery(parameters) {
  const parts = [];
  for (const [name, value] of parameters) {
    const sign = name.startsWith("no-") ? -1 : 1;
    const kind = name.replace(/^no-/, "");
    if (kind === "and" && value.trim()) parts.push(textPart(value, sign));
    else if (kind === "like" && /^\d+$/.test(value)) parts.push(photoPart(value, null, sign));
    else if (kind === "picture" && given.has(value)) parts.push({ kind, value, sign, ...given.get(value) });
  }
  const filters = {};
  for (const name of FILTERS) if (parameters.get(name)) filters[name] = parameters.get(name);
  return { text: parameters.get("q") ?? "", parts, filters };
}

/** The address that asks the same. */
export function writeQuery({ text, parts, filters }) {
  const parameters = new URLSearchParams();
  if (text.trim()) parameters.set("q", text.trim());
  for (const part of parts) {
    const name = { text: "and", photo: "like", picture: "picture" }[part.kind];
    parameters.append(part.sign < 0 ? `no-${name}` : name, part.value);
  }
  for (const name of FILTERS) if (filters[name]) parameters.set(name, filters[name]);
  return parameters;
}

/** The body of a search for the photos from `offset` on. */
export function searchBody({ text, parts, filters }, offset) {
  const body = { top: PHOTOS_AT_ONCE, offset };
  const words = text.trim();
  const wanted = words ? [textPart(words), ...parts] : parts;
  const without = wanted.filter(part => part.kind === "text" && part.sign < 0).map(part => part.value);
  const combined = wanted.filter(part => !(part.kind === "text" && part.sign < 0));
  if (combined.length === 1 && combined[0].kind === "text") body.text = combined[0].value;
  else if (combined.length) body.combine = combined.map(weighed);
  if (without.length) body.without = without;
  if (filters.least && combined.some(part => part.kind === "text")) body.least = filters.least;
  for (const name of ["after", "before", "orientation", "where"]) if (filters[name]) body[name] = filters[name];
  if (!combined.length && !without.length && !Object.keys(filters).some(name => name !== "least")) body.where = ALL_PHOTOS;
  return body;
}

function weighed(part) {
  const names = { text: "text", photo: "id", picture: "image" };
  return { [names[part.kind]]: part.kind === "picture" ? given.get(part.value).url : part.value, weight: part.sign };
}

export const isEmpty = ({ text, parts, filters }) => !text.trim() && !parts.length && !Object.keys(filters).length;

export const nameOf = photo => photo.path.slice(photo.path.lastIndexOf("/") + 1);

/** The picture on a chip. */
export function chipPicture(part, thumbnailOf) {
  if (part.kind === "text") return null;
  const image = el("img", { alt: "", width: 28, height: 28 });
  if (part.kind === "picture") image.src = given.get(part.value).url;
  else thumbnailOf(part.value).then(address => { image.src = address; }, () => {});
  return image;
}
