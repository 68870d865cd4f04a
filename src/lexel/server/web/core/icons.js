// The few icons of the page, drawn as strokes in the colour of the text beside them.

const PATHS = {
  search: "M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14zm5.2 12.2L20.5 20.5",
  play: "M4 20l6-16 6 16M6.3 14h7.4M18 5v6M15 8h6",
  map: "M9 4L3.5 6.5v13L9 17l6 2.5 5.5-2.5v-13L15 6.5 9 4zM9 4v13M15 6.5v13",
  draw: "M4 20l1-4.5L16.5 4 20 7.5 8.5 19 4 20zM14 6.5l3.5 3.5",
  learn: "M3 9.5L12 5l9 4.5L12 14 3 9.5zM7 12v4.5c3 2.300 7 2.300 10 0V12",
  picture: "M4 5h16v14H4zM4 16l4.5-4.5 4 4 2.5-2.5 5 4.5M15.5 9.5h.01",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  close: "M6 6l12 12M18 6L6 18",
  filter: "M4 7h16M7 12h10M10 17h4",
  left: "M14.5 5l-7 7 7 7",
  right: "M9.5 5l7 7-7 7",
  alike: "M4 4h9v9H4zM11 16v4h9v-9h-4",
  undo: "M8 5L4 9l4 4M4 9h10a5.5 5.5 0 0 1 0 11h-3",
  redo: "M16 5l4 4-4 4M20 9H10a5.5 5.5 0 0 0 0 11h3",
  bin: "M5 7h14M10 4h4M7 7l1 13h8l1-13",
  eraser: "M8 19h12M4.5 14.5l9-9 6 6-7.5 7.5H8z",
  pen: "M4 20l1-4.5L16.5 4 20 7.5 8.5 19z",
  light: "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.600 5.600l1 1M17.400 17.400l1 1M18.400 5.600l-1 1M6.600 17.400l-1 1",
  dark: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z",
  auto: "M12 4a8 8 0 1 1 0 16zM12 4a8 8 0 1 0 0 16",
  zoomIn: "M12 5v14M5 12h14",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  words: "M4 7V5h12v2M10 5v14M8 19h4M15 12h6M18 12v7",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
