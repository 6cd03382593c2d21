  // The trials: words of the filter that name a column bind it, the others match any column.
  const { study, columns, headings: names, shown, rows, labels, left_out: leftOut } = JSON.parse(one("#trial-data").textContent);
  const TERM = /([a-z_0-9]+)([:<>])("(?:[^"\\]|\\.)*"|\S+)|\S+/gi;
  const column = (name) => columns.findIndex((known) => known === name || known === `hp_${name}`);
  const at = (row, name) => row[columns.indexOf(name)];
  const label = (row, kind) => labels[kind][at(row, kind)] ?? at(row, kind);
  const texts = rows.map((row) => `${row.join(" ")} ${label(row, "variant")} ${label(row, "dataset")}`.toLowerCase());
  const unquoted = (value) => {
    if (!value.startsWith('"')) return value;
    try { return JSON.parse(value); } catch (error) { return value; }
  };
  const equal = (text, value) => text === String(value) || (typeof value === "number" && Number(text) === value);
  const matching = (text) => {
    const words = [], sought = new Map(), bounds = [];
    for (const [term, name, sign, value] of text.matchAll(TERM)) {
      const place = name === undefined ? -1 : column(name.toLowerCase());
      if (place < 0) words.push(term.toLowerCase());
      else if (sign === ":") sought.set(place, [...(sought.get(place) ?? []), unquoted(value)]);
      else bounds.push([place, sign, Number(value)]);
    }
    const fits = (row, i) =>
      words.every((word) => texts[i].includes(word)) &&
      [...sought].every(([place, values]) => values.some((value) => equal(value, row[place]))) &&
      bounds.every(([place, sign, bound]) => row[place] !== null && (sign === "<" ? row[place] < bound : row[place] > bound));
    return rows.flatMap((row, i) => (fits(row, i) ? [row] : []));
  };

  const PAGE = 100, filter = one("#filter"), browser = one("#browser"), body = browser.tBodies[0];
  const wanted = new Set(columns.flatMap((name, i) => (i < shown ? [i] : []))); // the columns of the table
  const visible = () => columns.flatMap((name, i) => (wanted.has(i) ? [i] : []));
  let limit = PAGE, key = null, direction = 1, selected = null;
  const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`);
  const address = (path) => `../${path.split("/").map(encodeURIComponent).join("/")}`;
  const plain = (value) => (typeof value === "number" && value && Math.abs(value) < 1e-3 ? value.toExponential() : value);
  const brief = (value, name) => { // as the tables of the page have it
    if (typeof value !== "number" || Number.isInteger(value)) return value;
    if (!name.startsWith("fid") || value < 0.1) return plain(Number(value.toPrecision(4)));
    return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
  };
  const describe = (row) => {
    const known = (name, text) => (at(row, name) === null ? [] : [text(at(row, name))]);
    one("#trial-title").textContent = `${label(row, "variant")} on ${label(row, "dataset")}: trial ${at(row, "trial_id")}`;
    one("#trial-result").textContent = [
      `phase ${at(row, "phase")}`, `seed ${at(row, "seed")}`, `outcome ${at(row, "outcome") ?? "still running"}`,
      ...known("fid_best", (fid) => `lowest FID ${fid} at step ${at(row, "fid_best_step")} of ${at(row, "steps")}`),
      ...known("failure_message", (message) => `failure: ${message}`),
    ].join(" · ");
    one("#trial-configuration").replaceChildren(...columns.flatMap((name, i) => {
      if (!name.startsWith("hp_") || row[i] === null) return [];
      const pair = make("div");
      pair.append(make("dt", name.slice(3)), make("dd", plain(row[i])));
      return [pair];
    }));
    const links = [["sample_path", "samples"], ["log_path", "log"]].flatMap(([name, text]) =>
      known(name, (path) => make("a", `${text}: ${path}`, { href: address(path) })));
    one("#trial-files").replaceChildren(...links.flatMap((link) => [link, " "]), make("a", "link to this trial", { href: `#trial=${encodeURIComponent(at(row, "trial_id"))}` }));
    one("#trial-command").textContent = `gansweep reproduce ${quoted(`${study}/${at(row, "trial_id")}`)}`;
    one("#trial .command [role=status]").textContent = "";
  };
  const select = (row) => {
    selected = row;
    one("#trial").hidden = !row;
    if (row) describe(row);
    for (const line of body.rows) line.setAttribute("aria-selected", String(line.trial === row));
  };
  const lineOf = (row) => {
    const line = make("tr", "", { tabIndex: -1, trial: row });
    line.setAttribute("aria-selected", String(row === selected));
    for (const i of visible()) {
      const value = row[i], cell = line.insertCell();
      cell.textContent = (columns[i] in labels ? labels[columns[i]][value] : brief(value, columns[i])) ?? "–";
      if (typeof value === "string") cell.className = "l";
    }
    return line;
  };
  const draw = () => {
    const found = matching(filter.value);
    if (key !== null) found.sort((a, b) => (a[key] === null) - (b[key] === null) || direction * compare(a[key], b[key]));
    body.replaceChildren(...found.slice(0, limit).map(lineOf));
    if (body.rows.length) body.rows[0].tabIndex = 0;
    const all = leftOut ? `${rows.length} trials of this page` : `${rows.length} trials`;
    one("#count").textContent = `${found.length} of ${all}${found.length > limit ? `, ${limit} shown` : ""}`;
    one("#more").hidden = limit >= found.length;
    one("#all").hidden = !filter.value;
    return found;
  };
  const pick = (line) => {
    select(line.trial);
    history.replaceState(null, "", `#trial=${encodeURIComponent(at(line.trial, "trial_id"))}`);
  };
  const reach = (line) => {
    for (const other of body.rows) other.tabIndex = -1;
    line.tabIndex = 0;
    line.focus();
  };
  body.onclick = (event) => { const line = event.target.closest("tr"); reach(line); pick(line); };
  body.onkeydown = (event) => {
    const line = event.target.closest("tr");
    const moves = { ArrowDown: line.nextElementSibling, ArrowUp: line.previousElementSibling, Home: body.firstElementChild, End: body.lastElementChild };
    if (event.key in moves) { if (moves[event.key]) reach(moves[event.key]); }
    else if (event.key === "Enter" || event.key === " ") pick(line);
    else return;
    event.preventDefault();
  };
  const headings = browser.tHead.insertRow();
  const drawHeadings = () => headings.replaceChildren(...visible().map((i) => {
    const heading = make("th", "", { scope: "col" }), button = make("button", names[i], { type: "button", title: `In the filter: ${columns[i]}` });
    button.onclick = () => { direction = turn(heading); key = i; draw(); };
    if (rows.some((row) => typeof row[i] === "string")) heading.className = "l";
    heading.append(button);
    return heading;
  }));
  one("#columns div").replaceChildren(...columns.map((name, i) => {
    const choice = make("label"), box = make("input", "", { type: "checkbox", checked: wanted.has(i) });
    box.onchange = () => { if (box.checked) wanted.add(i); else wanted.delete(i); drawHeadings(); draw(); };
    choice.append(box, ` ${names[i]}`);
    return choice;
  }));
  const apply = (text) => { filter.value = text; limit = PAGE; return draw(); };
  filter.oninput = () => { limit = PAGE; draw(); };
  one("#more").onclick = () => { limit += PAGE; draw(); };
  one("#all").onclick = () => { apply(""); filter.focus(); };

  // Addresses: #trials=FILTER shows these trials, #trial=ID that one.
  const follow = () => {
    const [, kind, code] = /^#(trials?)=(.*)$/s.exec(location.hash) ?? [];
    if (!kind) return;
    let text = code;
    try { text = decodeURIComponent(code); } catch (error) { /* not written by this page */ }
    const found = apply(kind === "trial" ? `trial_id:${JSON.stringify(text)}` : text);
    const best = [...found].sort((a, b) => compare(at(a, "fid_best"), at(b, "fid_best")));
    select(best[0] ?? null);
    reveal(one("#trials"));
    one("#trials").scrollIntoView();
    one("#trials").focus({ preventScroll: true });
  };
  addEventListener("hashchange", follow);
  one("#browsing").hidden = false;
  drawHeadings();
  draw();
  follow();
  jump();
})();
