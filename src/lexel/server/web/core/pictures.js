// Pictures that a person gives: dropped, pasted or chosen. They become data URLs, made small before they are sent.

const LONGEST_SIDE = 1024; // pixels; no tower looks at more
const MAX_BYTES = 30e6;

/** A picture file as {url, name}. Throws an Error with a sentence for what cannot be read. */
export async function readPicture(file) {
  if (file.type && !file.type.startsWith("image/")) throw new Error(`${file.name || "This"} is not a picture.`);
  if (file.size > MAX_BYTES) throw new Error(`${file.name || "The picture"} is larger than 30 MB.`);
  const name = file.name && file.name !== "image.png" ? file.name : "pasted picture";
  try {
    return { url: await smaller(file), name };
  } catch {
    return { url: await asDataURL(file), name }; // of a kind that the browser cannot show; the server may read it
  }
}

async function smaller(blob) {
  const bitmap = await createImageBitmap(blob, { imageOrientation: "from-image" });
  const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.toDataURL(canvas.width * canvas.height <= 128 * 128 ? "image/png" : "image/jpeg", 0.92);
}

function asDataURL(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Error("The picture cannot be read."));
    reader.readAsDataURL(blob);
  });
}

/** The picture at an address of this server, as a data URL. */
export async function fetchPicture(address, name) {
  const response = await fetch(address);
  if (!response.ok) throw new Error("The picture cannot be read.");
  return { url: await smaller(await response.blob()), name };
}

/** Take pictures that are dropped on `target` or pasted while the view is open; returns a function that stops it. */
export function takePictures(target, onPictures, onProblem) {
  const stop = new AbortController();
  const options = { signal: stop.signal };
  let depth = 0;
  const hasFiles = event => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const mark = on => target.classList.toggle("is-target", on);
  const take = async files => {
    const pictures = [];
    for (const file of files) {
      try {
        pictures.push(await readPicture(file));
      } catch (problem) {
        onProblem(problem.message);
      }
    }
    if (pictures.length) onPictures(pictures);
  };
  document.addEventListener("dragenter", event => { if (hasFiles(event)) { depth++; mark(true); } }, options);
  document.addEventListener("dragleave", event => { if (hasFiles(event) && --depth <= 0) { depth = 0; mark(false); } }, options);
  document.addEventListener("dragover", event => { if (hasFiles(event)) event.preventDefault(); }, options);
  document.addEventListener("drop", event => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    mark(false);
    take(event.dataTransfer.files);
  }, options);
  document.addEventListener("paste", event => {
    const files = [...(event.clipboardData?.files ?? [])].filter(file => file.type.startsWith("image/"));
    if (!files.length) return;
    event.preventDefault();
    take(files);
  }, options);
  return () => stop.abort();
}

/** A button that lets one choose picture files. */
export function chooseButton(button, onPictures, onProblem, several = false) {
  const input = document.createElement("input");
  input.type = "file";
  input.accept = "image/*";
  input.multiple = several;
  input.className = "unseen";
  input.tabIndex = -1;
  input.setAttribute("aria-hidden", "true");
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", async () => {
    const pictures = [];
    for (const file of input.files) {
      try {
        pictures.push(await readPicture(file));
      } catch (problem) {
        onProblem(problem.message);
      }
    }
    input.value = "";
    if (pictures.length) onPictures(pictures);
  });
  button.after(input);
  return input;
}
