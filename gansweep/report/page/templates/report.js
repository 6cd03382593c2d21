(() => {
  "use strict";
  const root = document.documentElement;
  const one = (selector) => document.querySelector(selector);
  const make = (name, text = "", attributes = {}) =>
    Object.assign(document.createElement(name), { textContent: text }, attributes);

  // Theme: the system's until the button is used.
  one("#theme").onclick = () => {
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    root.dataset.theme = (root.dataset.theme || system) === "dark" ? "light" : "dark";
  };

  // Contents: open beside the page, closed above it; what is in view is marked.
  const contents = one("#contents"), beside = matchMedia("(min-width: 1240px)");
  const place = () => { contents.open = beside.matches; };
  beside.onchange = place;
  place();
  contents.addEventListener("click", (event) => {
    if (event.target.closest("a") && !beside.matches) contents.open = false;
  });
  const entries = [...contents.querySelectorAll("a")].map((link) => [document.getElementById(link.getAttribute("href").slice(1)), link]);
  const placeOf = (target) => { // a folded part lies where its title is
    const fold = target.closest("details.fold:not([open])");
    return (fold ?? target).getBoundingClientRect().top;
  };
  const mark = () => {
    const seen = entries.filter(([heading, link]) => link.offsetParent && heading.closest("main"));
    const above = seen.filter(([heading]) => placeOf(heading) < 150);
    const [, current] = above.at(-1) ?? entries[0];
    for (const [, link] of entries) link.removeAttribute("aria-current");
    current.setAttribute("aria-current", "location");
    one("#here").textContent = above.length ? current.textContent : "";
  };
  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; mark(); });
  }, { passive: true });
  mark();

  // Data sets: what belongs to another than the chosen one is hidden.
  const tabs = [...document.querySelectorAll("#tabs button")];
  const show = (dataset) => {
    for (const tab of tabs) tab.setAttribute("aria-pressed", String(tab.dataset.shows === dataset));
    for (const part of document.querySelectorAll("[data-set]")) part.style.display = part.dataset.set === dataset ? "" : "none";
  };
  if (tabs.length) {
    one("#tabs").hidden = false;
    for (const tab of tabs) tab.onclick = () => { show(tab.dataset.shows); mark(); };
    show(tabs[0].dataset.shows);
  }

  // A link to what is folded, or of another data set, shows it first.
  const reveal = (target) => {
    const own = target.closest("[data-set]");
    if (own && own.style.display === "none") show(own.dataset.set);
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  };
  const jump = () => {
    const target = location.hash.includes("=") ? null : document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    reveal(target);
    target.scrollIntoView();
  };
  addEventListener("hashchange", jump);
  contents.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (link && link.getAttribute("href") === location.hash) jump();
  });
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("main details:not([open])")].filter((each) => !each.querySelector("#browsing"));
    for (const each of closed) each.open = true;
  });
  addEventListener("afterprint", () => { for (const each of closed) each.open = false; });

  // A variant chosen once stands out everywhere; chosen again, or by Escape, it does not.
  let chosen = "";
  const choose = (variant) => {
    chosen = variant === chosen ? "" : variant;
    root.classList.toggle("chosen", chosen !== "");
    for (const part of document.querySelectorAll("[data-variant]")) part.classList.toggle("on", part.dataset.variant === chosen);
  };
  for (const row of document.querySelectorAll("tr[data-variant]")) {
    const cell = row.cells[0];
    const button = make("button", "", { type: "button", className: "pick", title: "Make this variant stand out everywhere" });
    button.setAttribute("aria-label", `Make ${cell.textContent} stand out everywhere`);
    const look = cell.querySelector(".mark");
    if (!look) continue;
    look.replaceWith(button);
    button.append(look);
    button.onclick = () => choose(row.dataset.variant);
  }
  addEventListener("keydown", (event) => { if (event.key === "Escape") choose(chosen); });

  // Values of figures: under the pointer, or by arrow keys in a figure that has the focus.
  const tip = one("#tip");
  let here = null;
  const tell = (value) => {
    here?.classList.remove("here");
    here = value;
    tip.hidden = !value;
    if (!value) return;
    value.classList.add("here");
    tip.textContent = value.dataset.text;
    const box = value.getBoundingClientRect();
    const left = Math.min(box.right + 6, innerWidth - tip.offsetWidth - 8);
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${box.top > 40 ? box.top - tip.offsetHeight - 4 : box.bottom + 4}px`;
  };
  for (const plot of document.querySelectorAll(".plot")) {
    const values = [...plot.querySelectorAll(".value")];
    if (!values.length) continue;
    plot.onpointermove = (event) => tell(event.target.closest(".value"));
    plot.onpointerleave = () => tell(null);
    plot.onclick = (event) => { const value = event.target.closest(".value"); if (value?.dataset.variant) choose(value.dataset.variant); };
    plot.onblur = () => tell(null);
    plot.onkeydown = (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      tell(values[(values.indexOf(here) + (step < 0 && !values.includes(here) ? 0 : step) + values.length) % values.length]);
    };
  }

  // Samples, enlarged.
  const zoomed = one("#zoomed"), large = make("img");
  zoomed.firstElementChild.after(large);
  for (const button of document.querySelectorAll(".zoom")) {
    button.onclick = () => {
      const { src, alt } = button.firstElementChild;
      Object.assign(large, { src, alt });
      zoomed.querySelector("p").textContent = alt;
      zoomed.showModal();
    };
  }
  zoomed.onclick = (event) => { if (event.target === zoomed || event.target.tagName === "BUTTON") zoomed.close(); };

  // Copying; where the browser forbids it the text is selected instead.
  for (const button of document.querySelectorAll(".copy")) {
    const source = document.getElementById(button.dataset.copies), said = button.nextElementSibling;
    button.hidden = false;
    button.onclick = () => {
      const selected = () => {
        getSelection().selectAllChildren(source);
        said.textContent = "Selected: press Ctrl+C or ⌘C";
      };
      const writing = navigator.clipboard?.writeText(source.textContent);
      if (writing) writing.then(() => { said.textContent = "Copied"; }, selected);
      else selected();
    };
  }

  // Sorting: numbers before text, nothing last.
  const rank = (value) => (value === null || value === "" ? 2 : typeof value === "number" ? 0 : 1);
  const compare = (a, b) => rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0);
  const turn = (heading) => {
    const ascending = heading.getAttribute("aria-sort") !== "ascending";
    for (const other of heading.parentNode.children) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    return ascending ? 1 : -1;
  };
  const cellValue = (cell) => {
    const text = cell.dataset.value ?? cell.textContent.trim();
    return text === "" || Number.isNaN(Number(text)) ? text.toLowerCase() : Number(text);
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      heading.firstElementChild.onclick = () => {
        const direction = turn(heading);
        const lines = [...table.tBodies[0].rows].map((row) => [cellValue(row.cells[column]), row]);
        lines.sort((a, b) => (rank(a[0]) - rank(b[0])) || direction * compare(a[0], b[0]));
        table.tBodies[0].append(...lines.map((line) => line[1]));
      };
    });
  }

{% include "trials.js" %}
