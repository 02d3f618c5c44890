const id = name => document.getElementById(name);
const el = (tag, text, kind) => { const e = document.createElement(tag); if (text !== undefined) e.textContent = text; if (kind) e.className = kind; return e; };
const fill = (box, all) => box.replaceChildren(...all);
const size = bytes => { if (bytes == null) return "?"; let unit = 0;
  while (bytes >= 1000 && unit < 5) { bytes /= 1000; unit += 1; }
  return (unit && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)) + " " + ["B", "kB", "MB", "GB", "TB", "PB"][unit]; };
const rate = bytes => bytes == null ? "?" : size(bytes) + "/s";
const span = s => s < 90 ? Math.round(s) + " s" : s < 5400 ? Math.round(s / 60) + " min" : (s / 3600).toFixed(1) + " h";
function line(points, top, colour, dash) {
  const path = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  path.setAttribute("points", points.map(([x, y]) => x.toFixed(1) + "," + (150 - 140 * y / top).toFixed(1)).join(" "));
  path.setAttribute("style", "fill:none;stroke:var(" + colour + ");stroke-width:2;vector-effect:non-scaling-stroke" + (dash ? ";stroke-dasharray:4 3" : ""));
  return path;
}
