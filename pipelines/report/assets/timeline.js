"use strict";

/** The timeline: draws its rows, and turns the pointer into seeking, selecting, panning and zooming. */
report.Timeline = class Timeline {
  static DRAG_PX = 4;
  static WHEEL = 0.0022;

  /** `asks` holds what happens when the reader asks for something: seek(time), select(event). */
  constructor(recording, view, asks) {
    this.recording = recording;
    this.view = view;
    this.asks = asks;
    this.shown = { signals: true, guides: true };
    this.pointer = null; // {time, x, y} under the mouse
    this.playhead = 0;
    this.selected = null;
    this.sheet = null;
    this.dirty = { base: false, overlay: false };
    for (const name of ["plot", "base", "overlay", "gutter", "tip"]) this[name] = document.getElementById(name);
    this.stops = new AbortController();
    this.#readInk();
    this.layout();
    this.#loadSheet();
    view.listeners.push(() => this.draw());
    report.onTheme(() => {
      this.#readInk();
      this.draw();
    });
    this.resizes = new ResizeObserver(() => this.draw());
    this.resizes.observe(this.plot);
    this.#listen();
  }

  /** Builds the rows anew, after a change of what is shown. */
  layout() {
    this.rows = report.tracks.build(this.recording, this.shown);
    this.height = this.rows.at(-1).top + this.rows.at(-1).height + 6;
    this.gutter.replaceChildren(...this.rows.map(report.tracks.label));
    this.plot.style.height = `${this.height}px`;
    this.gutter.style.height = `${this.height}px`;
    this.draw();
  }

  #readInk() {
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(`--${name}`).trim();
    this.ink = {
      ink: read("ink"), quiet: read("quiet"), strong: read("strong-line"), line: read("line"), unknown: read("unknown"),
      truth: read("truth"), truthLine: read("truth-line"), truthInk: read("truth-ink"), event: read("event-ink"),
      signal: read("signal"), signalArea: read("signal-area"), limit: read("limit"), accent: read("accent"),
      onAccent: read("on-accent"), shade: read("shade"), band: read("band"), paper: read("paper"),
      panel: read("panel"), sunken: read("sunken"), small: `11.5px ${read("sans")}`,
    };
  }

  #loadSheet() {
    if (!this.recording.film) return;
    const image = new Image();
    image.onload = () => {
      if (this.stops.signal.aborted) return;
      this.sheet = image;
      this.draw();
      this.asks.sheet(image);
    };
    image.src = report.picture(this.recording.film.file, ".jpg");
  }

  /** Draws everything, once before the next picture of the screen. */
  draw() {
    this.dirty.base = true;
    this.drawOverlay();
  }

  /** Draws what moves: playhead, pointer, selection. */
  drawOverlay() {
    if (!this.dirty.overlay) window.requestAnimationFrame(() => this.#paint());
    this.dirty.overlay = true;
  }

  setPlayhead(time) {
    this.playhead = time;
    this.drawOverlay();
  }

  select(event) {
    this.selected = event;
    this.drawOverlay();
  }

  #paint() {
    if (this.stops.signal.aborted) return;
    const width = this.plot.clientWidth;
    if (width <= 0) {
      this.dirty.overlay = false;
      return;
    }
    if (this.dirty.base) this.#paintBase(this.#pen(this.base, width), width);
    this.#paintOverlay(this.#pen(this.overlay, width), width);
    this.dirty = { base: false, overlay: false };
    this.#tell();
  }

  #pen(canvas, width) {
    const ratio = window.devicePixelRatio || 1;
    const size = [Math.round(width * ratio), Math.round(this.height * ratio)];
    if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, this.height);
    return pen;
  }

  #paintBase(pen, width) {
    const { marks } = report;
    const at = marks.scale(this.view, width);
    for (const row of this.rows) {
      if (row.kind === "overview") this.#overview(pen, row, width);
      else if (row.kind === "axis") marks.axis(pen, at, row.top, row.height, this.ink);
      else if (row.kind === "film") marks.thumbnails(pen, at, this.recording.film, this.sheet, row.top, row.height, this.ink);
      else if (row.kind === "truth") marks.lane(pen, at, row.truth, row.top, row.height / row.truth.rows, this.ink);
      else if (row.kind === "level") marks.events(pen, at, row.level, row.top, row.height, this.ink);
      else this.#signal(pen, at, row, width);
    }
    if (this.shown.guides) this.#guides(pen, at);
  }

  #signal(pen, at, row, width) {
    pen.fillStyle = this.ink.sunken;
    pen.fillRect(0, row.top, width, row.height);
    report.marks.signal(pen, at, row.level.signal, row.top, row.height, this.ink);
  }

  /** Boundaries of annotated events, through the strips of what was found. */
  #guides(pen, at) {
    const found = this.rows.filter((row) => row.kind === "level" || row.kind === "signal");
    if (!found.length) return;
    const bottom = found.at(-1).top + found.at(-1).height;
    for (const row of this.rows.filter((candidate) => candidate.kind === "truth")) {
      report.marks.guides(pen, at, row.truth, found[0].top - 6, bottom, this.ink);
    }
  }

  /** The whole video in one bar, with the part that is shown. */
  #overview(pen, row, width) {
    const whole = report.marks.scale({ start: 0, end: this.view.duration, span: this.view.duration }, width);
    const run = this.recording.runs.find((candidate) => candidate);
    report.marks.events(pen, whole, run.levels.at(-1), row.top + 3, row.height - 6, this.ink);
    const [left, right] = [whole.x(this.view.start), whole.x(this.view.end)];
    pen.fillStyle = this.ink.shade;
    pen.fillRect(0, row.top, left, row.height);
    pen.fillRect(right, row.top, width - right, row.height);
    pen.strokeStyle = this.ink.ink;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.roundRect(left + 0.75, row.top + 0.75, Math.max(3, right - left - 1.5), row.height - 1.5, 4);
    pen.stroke();
  }

  #paintOverlay(pen, width) {
    const at = report.marks.scale(this.view, width);
    const axis = this.rows.find((row) => row.kind === "axis");
    if (this.selected) this.#paintSelection(pen, at);
    if (this.pointer) {
      pen.fillStyle = this.ink.quiet;
      pen.fillRect(Math.round(at.x(this.pointer.time)), axis.top, 1, this.height - axis.top - 6);
    }
    const x = at.x(this.playhead);
    if (x < -6 || x > width + 6) return;
    pen.fillStyle = this.ink.accent;
    pen.fillRect(Math.round(x) - 0.75, axis.top + axis.height - 6, 1.5, this.height - axis.top - axis.height);
    pen.beginPath();
    pen.moveTo(x - 5.5, axis.top + axis.height - 13);
    pen.lineTo(x + 5.5, axis.top + axis.height - 13);
    pen.lineTo(x + 5.5, axis.top + axis.height - 8);
    pen.lineTo(x, axis.top + axis.height - 2);
    pen.lineTo(x - 5.5, axis.top + axis.height - 8);
    pen.fill();
  }

  /** The selected event is framed, its time marked in all rows. */
  #paintSelection(pen, at) {
    const { start, end, level, run } = this.selected;
    const [left, right] = [at.x(start), at.x(end)];
    const axis = this.rows.find((row) => row.kind === "axis");
    pen.fillStyle = this.ink.band;
    pen.fillRect(left, axis.top, Math.max(1, right - left), this.height - axis.top - 6);
    const row = this.rows.find((candidate) => candidate.kind === "level" && candidate.level.index === level && candidate.level.run === run);
    if (!row) return;
    pen.strokeStyle = this.ink.ink;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.roundRect(left - 0.5, row.top - 1, Math.max(3, right - left), row.height + 2, 3.5);
    pen.stroke();
  }

  /** Writes what is under the pointer, or else under the playhead. */
  #tell() {
    const time = this.pointer ? this.pointer.time : this.playhead;
    for (const row of this.rows) row.reading.textContent = report.tracks.reading(row, time);
    this.asks.pointed(this.pointer ? this.pointer.time : null);
    const truth = this.pointer ? this.#truthAt(this.pointer) : null;
    this.tip.classList.toggle("hidden", !truth);
    if (!truth) return;
    this.tip.textContent = `${truth.label.slice(0, 300)}\u2003${report.length(truth.end - truth.start)}`;
    this.tip.style.top = `${this.pointer.y + 18}px`;
    const room = this.plot.clientWidth - this.tip.offsetWidth - 4;
    this.tip.style.left = `${Math.max(4, Math.min(room, this.pointer.x + 12))}px`;
  }

  #truthAt({ time, y }) {
    const row = this.rows.find((candidate) => candidate.kind === "truth" && y >= candidate.top && y < candidate.top + candidate.height);
    if (!row) return null;
    const number = Math.floor(((y - row.top) / row.height) * row.truth.rows);
    return row.truth.events.find((event) => event.row === number && event.start <= time && time < event.end) ?? null;
  }

  /** Ends this timeline: the canvas is taken over by the next video's. */
  close() {
    this.stops.abort();
    this.resizes.disconnect();
  }

  #listen() {
    const { signal } = this.stops;
    const pointers = new Map();
    let drag = null;
    const point = (event) => {
      const box = this.base.getBoundingClientRect();
      const [x, y] = [event.clientX - box.left, event.clientY - box.top];
      return { x, y, time: this.#timeAt(x), width: box.width };
    };
    const on = (name, listener, options = {}) => this.base.addEventListener(name, listener, { signal, ...options });
    on("pointerdown", (event) => {
      if (event.button !== 0) return;
      pointers.set(event.pointerId, point(event));
      this.base.setPointerCapture(event.pointerId);
      const at = point(event);
      drag = { ...at, view: [this.view.start, this.view.end], moved: false, row: this.#rowAt(at.y) };
      if (drag.row?.kind === "overview") this.#moveTo(at);
    });
    on("pointermove", (event) => {
      const at = point(event);
      const before = pointers.get(event.pointerId);
      if (before && pointers.size === 2) this.#pinch(pointers, event.pointerId, at);
      else if (before && drag) this.#drag(drag, at);
      if (before) pointers.set(event.pointerId, at);
      this.pointer = event.pointerType === "touch" ? null : at;
      this.drawOverlay();
    });
    const lift = (event) => {
      const known = pointers.delete(event.pointerId);
      if (known && drag && !drag.moved && event.type === "pointerup") this.#click(point(event));
      if (!pointers.size) drag = null;
      else if (drag) drag.moved = true;
    };
    on("pointerup", lift);
    on("pointercancel", lift);
    on("pointerleave", () => {
      this.pointer = null;
      this.drawOverlay();
    });
    on("wheel", (event) => this.#wheel(event, point(event)), { passive: false });
  }

  #timeAt(x) {
    const time = this.view.start + (x / this.plot.clientWidth) * this.view.span;
    return Math.min(this.view.duration, Math.max(0, time));
  }

  #rowAt(y) {
    return this.rows.find((row) => y >= row.top && y < row.top + row.height) ?? null;
  }

  #moveTo(at) {
    const middle = (at.x / at.width) * this.view.duration;
    this.view.set(middle - this.view.span / 2, middle + this.view.span / 2);
  }

  #drag(drag, at) {
    if (Math.abs(at.x - drag.x) > Timeline.DRAG_PX) drag.moved = true;
    if (!drag.moved) return;
    if (drag.row?.kind === "overview") {
      this.#moveTo(at);
      return;
    }
    const by = ((drag.x - at.x) / at.width) * (drag.view[1] - drag.view[0]);
    this.view.set(drag.view[0], drag.view[1]);
    this.view.pan(by);
  }

  #pinch(pointers, moved, at) {
    const [other] = [...pointers].filter(([id]) => id !== moved).map(([, place]) => place);
    const before = pointers.get(moved);
    const apart = Math.max(8, Math.abs(before.x - other.x));
    const middle = this.#timeAt((at.x + other.x) / 2);
    this.view.zoom(Math.max(8, Math.abs(at.x - other.x)) / apart, middle);
  }

  #wheel(event, at) {
    event.preventDefault();
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    if (sideways) this.view.pan((((event.deltaX || event.deltaY) * unit) / at.width) * this.view.span);
    else this.view.zoom(Math.exp(-event.deltaY * unit * Timeline.WHEEL * (event.ctrlKey ? 4 : 1)), at.time);
  }

  #click(at) {
    const row = this.#rowAt(at.y);
    if (row?.kind === "overview") return;
    if (row?.kind === "level") {
      this.asks.select(this.recording.event(row.level.run, row.level.index, row.level.at(at.time)));
    } else this.asks.seek(at.time);
  }
};
