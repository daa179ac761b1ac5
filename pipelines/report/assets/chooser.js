"use strict";

/** A quiet list behind a button, in which metrics are ticked that become columns. */
report.Chooser = class Chooser {
  static MOST = 4; // columns, so that the table keeps its place for them
  static DEFAULTS = ["symmetric_f1", "boundary_f1@0.5s", "t_full_f1"];
  static GROUPS = [
    ["whole hierarchy", /^(hlr|symmetric)_/],
    ["all annotated levels together", /^(t_full|t_reduced|l)_/],
    ["boundaries", /^(boundary|gebd)_/],
    ["labels", /^(frame_|edit$|segmental_)/],
    ["labels of clustered events", /^clustered_/],
    ["others", /./],
  ];

  /** `place` is a details element; `changed()` is called after every choice. */
  constructor(place, changed) {
    this.place = place;
    this.changed = changed;
    this.chosen = null;
    document.addEventListener("click", (event) => {
      if (place.open && !place.contains(event.target)) place.open = false;
    });
    place.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !place.open) return;
      place.open = false;
      place.querySelector("summary").focus();
    });
  }

  /** Offers metrics; those that were chosen before stay so, even while they are not offered. */
  offer(metrics) {
    this.offered = metrics;
    this.chosen ??= new Set(Chooser.DEFAULTS.filter((name) => metrics.some((metric) => metric.metric === name)));
    if (!this.chosen.size) metrics.slice(0, Chooser.DEFAULTS.length).forEach((metric) => this.chosen.add(metric.metric));
    this.place.classList.toggle("hidden", metrics.length < 2);
    const left = new Set(metrics.map((metric) => metric.metric));
    const { element } = report;
    const groups = Chooser.GROUPS.map(([title, pattern]) => {
      const names = [...left].filter((name) => pattern.test(name));
      names.forEach((name) => left.delete(name));
      if (!names.length) return null;
      return element("fieldset", {}, element("legend", {}, title), ...names.map((name) => this.#box(name)));
    });
    this.place.querySelector(".choices").replaceChildren(...groups.filter((group) => group));
    this.#limit();
  }

  #box(name) {
    const { element, summary } = report;
    const box = element("input", { type: "checkbox", name, on: { change: () => this.#choose(name, box.checked) } });
    box.checked = this.chosen.has(name);
    return element("label", {}, box, summary.wording(name.replace(/^clustered_/, "")));
  }

  #choose(name, wanted) {
    if (wanted) this.chosen.add(name);
    else this.chosen.delete(name);
    this.#limit();
    this.changed();
  }

  #limit() {
    const full = this.columns.length >= Chooser.MOST;
    for (const box of this.place.querySelectorAll("input")) box.disabled = full && !box.checked;
    this.place.querySelector(".most").textContent = full ? `No more than ${Chooser.MOST} at once.` : "";
  }

  /** The chosen metrics that are offered. */
  get columns() {
    return this.offered.filter((metric) => this.chosen.has(metric.metric));
  }
};
