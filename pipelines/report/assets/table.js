"use strict";

/** A table of any number of rows of one height, of which only those in sight are in the page. */
report.Table = class Table {
  static SPARE = 8; // rows beyond the window, so that scrolling shows no gap

  /**
   * `columns` are {name, title, cell(row), value(row), number}; `open(row)` is called for a row that is opened.
   */
  constructor(place, columns, open) {
    this.place = place;
    this.table = place.querySelector("table");
    this.body = place.querySelector("tbody");
    this.open = open;
    this.rows = [];
    this.active = -1;
    this.sorted = { column: 1, falls: false };
    this.setColumns(columns);
    const update = () => this.#update();
    window.addEventListener("scroll", update, { passive: true });
    window.addEventListener("resize", update);
    place.addEventListener("keydown", (event) => this.#key(event));
    this.body.addEventListener("click", (event) => this.#click(event));
  }

  setColumns(columns) {
    this.columns = columns;
    const head = this.place.querySelector("thead tr");
    head.replaceChildren(...columns.map((column, place) => this.#heading(column, place)));
    this.table.setAttribute("aria-colcount", String(columns.length));
    this.#showSorting();
  }

  #heading(column, place) {
    const { element } = report;
    const content = column.value
      ? element("button", { type: "button", class: "sorter", title: column.title ?? `Sort by ${column.name}`, on: { click: () => this.sort(place) } }, ...(column.heading ?? [column.name]))
      : column.name;
    return element("th", { scope: "col", class: column.number ? "number" : column.kind ?? "" }, content);
  }

  /** Sorts by a column; again, the other way round. Rows without a value come last in either case. */
  sort(place) {
    const same = this.sorted.column === place;
    this.sorted = { column: place, falls: same ? !this.sorted.falls : Boolean(this.columns[place].number) };
    this.#showSorting();
    this.#order();
    this.#update(true);
  }

  #showSorting() {
    this.place.querySelectorAll("thead th").forEach((heading, place) => {
      if (place === this.sorted.column) heading.setAttribute("aria-sort", this.sorted.falls ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    });
  }

  #order() {
    const { value } = this.columns[this.sorted.column] ?? {};
    if (!value) return;
    const way = this.sorted.falls ? -1 : 1;
    const keyed = this.rows.map((row) => [value(row), row]);
    const absent = (key) => key === null || key === undefined;
    const words = new Intl.Collator("en", { numeric: true });
    keyed.sort(([a], [b]) => {
      if (absent(a) || absent(b)) return absent(a) - absent(b);
      return way * (typeof a === "number" ? a - b : words.compare(a, b));
    });
    this.rows = keyed.map(([, row]) => row);
  }

  /** Shows other rows. */
  setRows(rows) {
    this.rows = [...rows];
    this.active = -1;
    this.table.setAttribute("aria-rowcount", String(rows.length + 1));
    this.#order();
    this.#update(true);
  }

  get #rowHeight() {
    this.measured ??= parseFloat(getComputedStyle(this.place).getPropertyValue("--row"));
    return this.measured;
  }

  /** Puts the rows in sight into the page, between two rows as high as what is left out. */
  #update(afresh = false) {
    const height = this.#rowHeight;
    const top = this.body.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(-top / height) - Table.SPARE);
    const last = Math.min(this.rows.length, Math.ceil((window.innerHeight - top) / height) + Table.SPARE);
    if (!afresh && this.shown && this.shown[0] === first && this.shown[1] === last) return;
    this.shown = [first, last];
    const rows = this.rows.slice(first, Math.max(first, last)).map((row, place) => this.#row(row, first + place));
    this.body.replaceChildren(this.#space(first * height), ...rows, this.#space((this.rows.length - Math.max(first, last)) * height));
  }

  #space(height) {
    const space = report.element("tr", { class: "space", "aria-hidden": "true" }, report.element("td", { colspan: this.columns.length }));
    space.style.height = `${height}px`;
    space.classList.toggle("hidden", height <= 0);
    return space;
  }

  #row(row, place) {
    const { element } = report;
    const cells = this.columns.map((column) => element("td", { class: column.number ? "number" : column.kind ?? "" }, ...[column.cell(row)].flat()));
    const made = element("tr", { "aria-rowindex": place + 2, "data-place": place, class: row.file ? "opens" : "" }, ...cells);
    made.classList.toggle("active", place === this.active);
    return made;
  }

  #click(event) {
    const clicked = event.target.closest("tr[data-place]");
    if (!clicked || event.target.closest("a")) return;
    this.open(this.rows[Number(clicked.dataset.place)]);
  }

  #key(event) {
    const page = Math.max(1, Math.floor(window.innerHeight / this.#rowHeight) - 3);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key === "Enter" && event.target === this.place && this.active >= 0) this.open(this.rows[this.active]);
    else if (moves[event.key] && this.rows.length) this.#activate(this.active + moves[event.key]);
    else return;
    event.preventDefault();
  }

  #activate(place) {
    this.active = Math.min(this.rows.length - 1, Math.max(0, place));
    const height = this.#rowHeight;
    const top = this.body.getBoundingClientRect().top + this.active * height;
    const head = this.place.querySelector("thead").getBoundingClientRect().bottom;
    if (top < Math.max(0, head)) window.scrollBy(0, top - Math.max(0, head));
    else if (top + height > window.innerHeight) window.scrollBy(0, top + height - window.innerHeight + 8);
    this.#update(true);
    this.place.setAttribute("aria-activedescendant", "");
    const active = this.body.querySelector("tr.active");
    if (active) {
      active.id = "active-row";
      this.place.setAttribute("aria-activedescendant", active.id);
    }
  }
};
