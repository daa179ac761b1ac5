"use strict";

/** Which part of a video is on screen. Listeners hear of every change. */
report.View = class View {
  static SHORTEST_S = 0.25;
  static GLIDE_MS = 160;

  constructor(duration) {
    this.duration = duration;
    this.start = 0;
    this.end = duration;
    this.listeners = [];
    this.gliding = 0;
  }

  get span() {
    return this.end - this.start;
  }

  /** Shows [start, end], moved and cut so that it lies inside of the video. */
  set(start, end) {
    window.cancelAnimationFrame(this.gliding);
    this.#place(start, end);
  }

  #place(start, end) {
    const shortest = Math.min(View.SHORTEST_S, this.duration);
    const span = Math.min(this.duration, Math.max(shortest, end - start));
    const middle = (start + end) / 2;
    this.start = Math.min(this.duration - span, Math.max(0, middle - span / 2));
    this.end = this.start + span;
    for (const listener of this.listeners) listener();
  }

  /** Moves there within a moment, or at once where the reader wants no motion. */
  glide(start, end) {
    window.cancelAnimationFrame(this.gliding);
    if (report.reducedMotion()) {
      this.#place(start, end);
      return;
    }
    const from = [this.start, this.end];
    const began = performance.now();
    const step = (now) => {
      const share = Math.min(1, Math.max(0, (now - began) / View.GLIDE_MS));
      const eased = 1 - (1 - share) ** 3;
      this.#place(from[0] + (start - from[0]) * eased, from[1] + (end - from[1]) * eased);
      if (share < 1) this.gliding = window.requestAnimationFrame(step);
    };
    this.gliding = window.requestAnimationFrame(step);
  }

  /** Zooms by a factor, with `time` staying where it is on screen. */
  zoom(factor, time, glides = false) {
    const span = Math.min(this.duration, Math.max(Math.min(View.SHORTEST_S, this.duration), this.span / factor));
    const start = time - ((time - this.start) / this.span) * span;
    if (glides) this.glide(start, start + span);
    else this.set(start, start + span);
  }

  /** Moves by so many seconds. */
  pan(seconds, glides = false) {
    if (glides) this.glide(this.start + seconds, this.end + seconds);
    else this.set(this.start + seconds, this.end + seconds);
  }

  fit() {
    this.glide(0, this.duration);
  }

  /** Makes sure that [start, end] can be seen, with some room around it. */
  reveal(start, end = start) {
    if (start >= this.start && end <= this.end) return;
    const span = Math.max(this.span, 1.2 * (end - start));
    const middle = (start + end) / 2;
    this.glide(middle - span / 2, middle + span / 2);
  }
};
