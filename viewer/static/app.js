"use strict";
// Keeps a page up to date: asks the server for it again and replaces the parts marked data-live that changed.
// Charts are asked for less often. Without JavaScript every page still shows what it knew when it was loaded.

const page = document.body;
const offline = document.getElementById("offline");

function address(extra) {
  const url = new URL(window.location.href);
  for (const [key, value] of Object.entries(extra)) url.searchParams.set(key, value);
  return url;
}

async function fetchPage(extra) {
  // The header says that nobody asked for this: a page that is left open does not keep its session awake.
  const headers = { Accept: "text/html", "X-Refresh": "1" };
  const answer = await fetch(address(extra), { headers, cache: "no-store" });
  if (answer.redirected) window.location.reload(); // the session is over
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// Replaces what changed and keeps the keyboard focus on the link it was on.
function replaceChanged(fresh, selector) {
  for (const old of document.querySelectorAll(selector)) {
    const next = fresh.getElementById(old.id);
    if (!next) continue;
    if (next.className !== old.className) old.className = next.className;
    if (next.innerHTML === old.innerHTML) continue;
    const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    old.replaceChildren(...Array.from(next.childNodes, (node) => document.importNode(node, true)));
    if (focused) Array.from(old.querySelectorAll("a")).find((link) => link.getAttribute("href") === focused)?.focus();
  }
}

// The words are in the page only while they are true: nothing hidden is left for a screen reader to find.
function sayOffline(lost) {
  if (offline.hidden === !lost) return;
  offline.hidden = !lost;
  offline.textContent = lost ? offline.dataset.text : "";
}

// One request at a time; the next one starts when this one ended and the page is looked at.
function repeat(seconds, work) {
  if (!(seconds > 0)) return;
  const turn = async () => {
    if (!document.hidden) {
      try {
        await work();
        sayOffline(false);
      } catch {
        sayOffline(true);
      }
    }
    window.setTimeout(turn, seconds * 1000);
  };
  window.setTimeout(turn, seconds * 1000);
}

repeat(Number(page.dataset.refresh), async () => {
  replaceChanged(await fetchPage({ part: "live" }), "[data-live]");
});

const charts = document.getElementById("charts");
let dragging = null;

if (charts) {
  repeat(Number(charts.dataset.refresh), async () => {
    const fresh = await fetchPage({});
    if (dragging) return;
    const figures = (root) => root.querySelectorAll("#charts figure").length;
    replaceChanged(fresh, figures(fresh) === figures(document) ? "#charts figure" : "#charts");
  });

  // Position of the pointer in the units of the drawing.
  const position = (svg, event) => {
    const box = svg.getBoundingClientRect();
    const width = Number(svg.dataset.width);
    const x = ((event.clientX - box.left) / box.width) * width;
    return Math.min(Math.max(x, Number(svg.dataset.left)), width - Number(svg.dataset.right));
  };

  const readUnder = (plot, x) => {
    const points = JSON.parse(plot.dataset.points);
    let best = points[0];
    for (const point of points) if (Math.abs(point[0] - x) < Math.abs(best[0] - x)) best = point;
    const [at, time, mean, low, high, count] = best;
    const cursor = plot.querySelector(".cursor");
    cursor.setAttribute("x1", at);
    cursor.setAttribute("x2", at);
    const spread = low === high || count < 2 ? "" : ` (${plot.dataset.lowHigh} ${low} – ${high}, n=${count})`;
    plot.closest("figure").querySelector("output").textContent = `${time}  ${mean}${spread}`;
  };

  charts.addEventListener("pointermove", (event) => {
    const plot = event.target.closest(".plot");
    if (!plot) return;
    const svg = plot.querySelector("svg");
    const x = position(svg, event);
    readUnder(plot, x);
    if (dragging && dragging.svg === svg) {
      const box = svg.querySelector(".select");
      box.setAttribute("x", Math.min(x, dragging.x));
      box.setAttribute("width", Math.abs(x - dragging.x));
    }
  });

  charts.addEventListener("pointerdown", (event) => {
    const svg = event.target.closest("svg.chart");
    // A figure says where a span of it is shown: on this page if it says nothing, nowhere if that is empty.
    const zooms = svg && svg.closest("figure").dataset.zoom !== "";
    if (zooms && event.pointerType === "mouse" && event.button === 0) {
      dragging = { svg, x: position(svg, event) };
      event.preventDefault();
    }
  });

  window.addEventListener("pointerup", (event) => {
    if (!dragging) return;
    const { svg, x } = dragging;
    dragging = null;
    svg.querySelector(".select").setAttribute("width", 0);
    const ends = [x, position(svg, event)].sort((a, b) => a - b);
    if (ends[1] - ends[0] < 8) return;
    const left = Number(svg.dataset.left);
    const span = Number(svg.dataset.width) - left - Number(svg.dataset.right);
    const start = Number(svg.dataset.start);
    const time = (at) => Math.round(start + ((at - left) / span) * (Number(svg.dataset.end) - start));
    const wanted = { from: time(ends[0]), to: time(ends[1]) };
    const elsewhere = svg.closest("figure").dataset.zoom;
    window.location.href = elsewhere ? `${elsewhere}?${new URLSearchParams(wanted)}` : address(wanted);
  });
}

const print = document.getElementById("print");
print.hidden = false;
print.addEventListener("click", () => window.print());
