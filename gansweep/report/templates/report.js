(() => {
  "use strict";
  const root = document.documentElement;
  const one = (selector) => document.querySelector(selector);

  // Theme: the system's until the button is used.
  one("#theme").onclick = () => {
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    root.dataset.theme = (root.dataset.theme || system) === "dark" ? "light" : "dark";
  };

  // Sorting: numbers before text, nothing last.
  const rank = (value) => (value === null || value === "" ? 2 : typeof value === "number" ? 0 : 1);
  const compare = (a, b) => rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0);
  const mark = (heading) => {
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
        const direction = mark(heading);
        const rows = [...table.tBodies[0].rows].map((row) => [cellValue(row.cells[column]), row]);
        rows.sort((a, b) => (rank(a[0]) - rank(b[0])) || direction * compare(a[0], b[0]));
        table.tBodies[0].append(...rows.map((entry) => entry[1]));
      };
    });
  }

  // The trial browser.
  const { columns, rows } = JSON.parse(one("#trial-data").textContent);
  const browser = one("#browser");
  const PAGE = 100;
  const texts = rows.map((row) => row.join(" ").toLowerCase());
  let limit = PAGE, key = null, direction = 1;
  const describe = (row) => {
    const hyperparameters = columns.flatMap((name, i) =>
      name.startsWith("hp_") && row[i] !== null ? [`  ${name.slice(3)} = ${row[i]}`] : []);
    const field = (name) => row[columns.indexOf(name)] ?? "–";
    one("#trial").hidden = false;
    one("#trial pre").textContent = [
      `trial ${field("trial_id")}: ${field("variant")} on ${field("dataset")}, number ${field("trial_number")}, seed ${field("seed")}`,
      ...hyperparameters,
      `best FID ${field("fid_best")} at step ${field("fid_best_step")} of ${field("steps")}, outcome ${field("outcome")}`,
      `log: ${field("log_path")}`,
      `made by: ${one("#trial").dataset.command}`,
    ].join("\n");
  };
  const draw = () => {
    const words = one("#filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = [...rows.keys()].filter((i) => words.every((word) => texts[i].includes(word)));
    if (key !== null) found.sort((a, b) => (rows[a][key] === null) - (rows[b][key] === null) || direction * compare(rows[a][key], rows[b][key]));
    one("#count").textContent = `${Math.min(limit, found.length)} of ${found.length} trials shown`;
    one("#more").hidden = limit >= found.length;
    browser.tBodies[0].replaceChildren(...found.slice(0, limit).map((i) => {
      const line = document.createElement("tr");
      for (const value of rows[i]) {
        const cell = line.insertCell();
        cell.textContent = value === null ? "–" : value;
        if (typeof value === "string") cell.className = "l";
      }
      line.onclick = () => {
        for (const other of browser.tBodies[0].rows) other.removeAttribute("aria-selected");
        line.setAttribute("aria-selected", "true");
        describe(rows[i]);
      };
      return line;
    }));
  };
  const headings = browser.tHead.insertRow();
  columns.forEach((name, column) => {
    const heading = document.createElement("th"), button = document.createElement("button");
    heading.scope = "col";
    button.type = "button";
    button.textContent = name;
    button.onclick = () => { direction = mark(heading); key = column; draw(); };
    heading.append(button);
    headings.append(heading);
  });
  one("#filter").oninput = () => { limit = PAGE; draw(); };
  one("#more").onclick = () => { limit += PAGE; draw(); };
  draw();
})();
