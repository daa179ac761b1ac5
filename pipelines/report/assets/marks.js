"use strict";

/**
 * Draws onto a canvas what lies in a view. The work depends on the pixels, not on the length of the video: what is
 * narrower than a pixel is mixed or merged before anything is drawn.
 */
report.marks = (() => {
  const { search } = report.Recording;
  const STEPS_S = [
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600,
    43200, 86400,
  ];
  const WIDEST_MIX_PX = 2;
  const GAP_FROM_PX = 4;
  const ROUND_FROM_PX = 9;
  const LABEL_FROM_PX = 26;
  const WRITTEN_FROM_PX = 62;
  const LONGEST_LABEL = 160;
  const DOTS_FROM_PX = 7;

  /** How times lie on a width in pixels; snaps to whole pixels of the screen. */
  function scale(view, width) {
    const ratio = window.devicePixelRatio || 1;
    const perSecond = width / view.span;
    const x = (time) => (time - view.start) * perSecond;
    return { x, snapped: (time) => Math.round(x(time) * ratio) / ratio, perSecond, width, view };
  }

  /** Seconds between labels of an axis. */
  function step(view, width) {
    const longest = report.clock(view.end, 1, view.duration).length * 7 + 34;
    const least = (view.span * longest) / width;
    return STEPS_S.find((seconds) => seconds >= least) ?? Math.ceil(least / 86400) * 86400;
  }

  function decimals(seconds) {
    return seconds >= 1 ? 0 : seconds >= 0.1 ? 1 : 2;
  }

  /** Ticks and their times. */
  function axis(pen, at, top, height, ink) {
    const { view, width } = at;
    const major = step(view, width);
    const minor = major / (String(major).startsWith("1") || major >= 60 ? 5 : 4);
    pen.fillStyle = ink.strong;
    for (let tick = Math.ceil(view.start / minor); tick * minor <= view.end; tick++) {
      pen.fillRect(at.snapped(tick * minor), top + height - 4, 1, 4);
    }
    pen.font = ink.small;
    pen.textBaseline = "middle";
    pen.textAlign = "left";
    for (let tick = Math.ceil(view.start / major); tick * major <= view.end; tick++) {
      const time = tick * major;
      const x = at.snapped(time);
      pen.fillStyle = ink.strong;
      pen.fillRect(x, top + height - 9, 1, 9);
      const text = report.clock(time, decimals(major), view.duration);
      if (x + 5 + pen.measureText(text).width > width) continue;
      pen.fillStyle = ink.quiet;
      pen.fillText(text, x + 5, top + height / 2 - 1);
    }
  }

  /** Events of a level; those narrower than two pixels are mixed, by their lengths, into columns. */
  function events(pen, at, level, top, height, ink) {
    const { view } = at;
    const { STEPS } = report.colours;
    const mix = { x: 0, y: 0, z: 0, known: 0, all: 0, from: 0, to: 0 };
    const flush = () => {
      if (mix.all <= 0) return;
      const known = mix.known > 0;
      pen.fillStyle = known
        ? report.colours.at(mix.x / mix.known, mix.y / mix.known, mix.z / mix.known)
        : ink.unknown;
      pen.fillRect(mix.from, top, Math.max(1, mix.to - mix.from), height);
      Object.assign(mix, { x: 0, y: 0, z: 0, known: 0, all: 0, from: mix.to });
    };
    for (let index = level.at(view.start); index < level.count && level.starts[index] < view.end; index++) {
      const end = level.end(index);
      const left = Math.max(-8, at.snapped(level.starts[index]));
      const right = Math.min(at.width + 8, at.snapped(end));
      const code = level.colours[index];
      if (at.perSecond * (end - level.starts[index]) >= WIDEST_MIX_PX) {
        flush();
        box(pen, left, top, right - left, height, report.colours.of(code, ink.unknown));
        if (right - left >= WRITTEN_FROM_PX) {
          length(pen, left, right, end - level.starts[index], top, height, code < 0 ? ink.ink : ink.event, ink);
        }
        continue;
      }
      if (mix.all <= 0) mix.from = left;
      mix.to = right;
      const weight = end - level.starts[index];
      mix.all += weight;
      if (code >= 0) {
        mix.known += weight;
        mix.x += weight * (code % STEPS);
        mix.y += weight * (Math.floor(code / STEPS) % STEPS);
        mix.z += weight * Math.floor(code / (STEPS * STEPS));
      }
      if (mix.to - mix.from >= 1) flush();
    }
    flush();
  }

  function box(pen, left, top, width, height, colour) {
    pen.fillStyle = colour;
    const gap = width >= GAP_FROM_PX ? 1 : 0;
    if (width < ROUND_FROM_PX) {
      pen.fillRect(left, top, Math.max(1, width - gap), height);
      return;
    }
    pen.beginPath();
    pen.roundRect(left, top, width - gap, height, 2.5);
    pen.fill();
  }

  function length(pen, left, right, seconds, top, height, colour, ink) {
    if (height < 16) return;
    const from = Math.max(0, left);
    const text = report.length(seconds);
    pen.font = ink.small;
    if (pen.measureText(text).width + 14 > Math.min(right, pen.canvas.clientWidth) - from) return;
    pen.fillStyle = colour;
    pen.textBaseline = "middle";
    pen.textAlign = "left";
    pen.fillText(text, from + 7, top + height / 2 + 0.5);
  }

  /** Annotated events, in rows, with as much of their labels as fits. */
  function lane(pen, at, truth, top, rowHeight, ink) {
    const { view } = at;
    const painted = new Float64Array(truth.rows).fill(-1);
    pen.font = ink.small;
    pen.textBaseline = "middle";
    for (const event of truth.events) {
      if (event.end <= view.start) continue;
      if (event.start >= view.end) break; // in the order of their starts
      const left = Math.max(-4, at.snapped(event.start));
      const right = Math.min(at.width + 4, at.snapped(event.end));
      if (right - left < 1 && right <= painted[event.row]) continue;
      painted[event.row] = Math.max(left + 1, right);
      const y = top + event.row * rowHeight;
      const width = Math.max(1, right - left - (right - left >= GAP_FROM_PX ? 1 : 0));
      pen.fillStyle = event.empty ? ink.band : ink.truth;
      pen.fillRect(left, y, width, rowHeight - 2);
      pen.fillStyle = ink.truthLine;
      pen.fillRect(left, y, Math.min(2, width), rowHeight - 2);
      if (width < LABEL_FROM_PX) continue;
      const from = Math.max(0, left) + 7;
      const text = fitting(pen, event.label, Math.min(right, at.width) - from - 4);
      if (!text) continue;
      pen.fillStyle = event.empty ? ink.quiet : ink.truthInk;
      pen.fillText(text, from, y + (rowHeight - 2) / 2 + 0.5);
    }
  }

  /** As much of a text as fits; "" where nearly nothing would. */
  function fitting(pen, given, width) {
    const text = given.slice(0, LONGEST_LABEL);
    if (text === given && pen.measureText(text).width <= width) return text;
    const letters = Array.from(text);
    let low = 0;
    let high = letters.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (pen.measureText(letters.slice(0, middle).join("") + "\u2026").width <= width) low = middle;
      else high = middle - 1;
    }
    return low < 2 ? "" : letters.slice(0, low).join("").trimEnd() + "\u2026";
  }

  /** Lines where annotated events begin and end, fainter where there are many. */
  function guides(pen, at, truth, top, bottom, ink) {
    const edges = new Set();
    for (const event of truth.events) {
      for (const time of [event.start, event.end]) {
        if (time > Math.max(0.001, at.view.start) && time < Math.min(at.view.end, at.view.duration - 0.001)) {
          edges.add(at.snapped(time));
        }
      }
    }
    pen.globalAlpha = Math.min(0.7, (0.12 * at.width) / Math.max(1, edges.size)) * (truth.place ? 0.5 : 1);
    pen.fillStyle = ink.truthLine;
    for (const x of edges) pen.fillRect(x, top, 1, bottom - top);
    pen.globalAlpha = 1;
  }

  /** Pictures along the time axis, at even distances; each where it was taken once they are further apart. */
  function thumbnails(pen, at, film, sheet, top, height, ink) {
    const { view } = at;
    const width = (film.width / film.height) * height;
    const apart = film.times.length > 1 ? (film.times.at(-1) - film.times[0]) / (film.times.length - 1) : view.duration;
    const place = (frame, left) => {
      const column = frame % film.columns;
      const row = Math.floor(frame / film.columns);
      const source = [column * film.width, row * film.height, film.width, film.height];
      pen.drawImage(sheet, ...source, left, top, width - 1, height);
    };
    pen.fillStyle = ink.band;
    pen.fillRect(Math.max(0, at.x(0)), top, Math.min(at.width, at.x(view.duration)) - Math.max(0, at.x(0)), height);
    if (!sheet) return;
    const slot = width / at.perSecond;
    if (slot < apart) {
      const first = Math.max(0, search(film.times, view.start - slot));
      for (let frame = first; frame < film.times.length && film.times[frame] < view.end + slot; frame++) {
        place(frame, at.x(film.times[frame]) - width / 2);
      }
      return;
    }
    for (let index = Math.floor(view.start / slot); index * slot < view.end; index++) {
      const middle = Math.min((index + 0.5) * slot, view.duration);
      let frame = Math.max(0, search(film.times, middle));
      if (frame + 1 < film.times.length && film.times[frame + 1] - middle < middle - film.times[frame]) frame += 1;
      place(frame, at.x(index * slot));
    }
  }

  /** A signal, its threshold and the boundaries it led to; of many points in a column, their range and mean. */
  function signal(pen, at, values, top, height, ink) {
    const { view } = at;
    const pad = 5;
    const foot = 5;
    const range = values.high - values.low || 1;
    const y = (value) => top + pad + (1 - (value - values.low) / range) * (height - 2 * pad - foot);
    const first = Math.max(0, search(values.times, view.start) - 1);
    const last = Math.min(values.times.length - 1, search(values.times, view.end) + 2);
    const dense = last - first > 1.5 * at.width;
    if (values.limits) {
      curve(pen, at, values.times, values.limits, first, last, y, dense, ink.limit, null, 1);
    }
    curve(pen, at, values.times, values.values, first, last, y, dense, ink.signal, ink.signalArea, 1.3);
    if (!dense && at.perSecond * ((values.times[last] - values.times[first]) / Math.max(1, last - first)) > DOTS_FROM_PX) {
      pen.fillStyle = ink.signal;
      for (let place = first; place <= last; place++) {
        if (Number.isNaN(values.values[place])) continue;
        pen.beginPath();
        pen.arc(at.x(values.times[place]), y(values.values[place]), 1.9, 0, 2 * Math.PI);
        pen.fill();
      }
    }
    ticks(pen, at, values, top + height - foot, foot, ink);
  }

  function ticks(pen, at, values, top, height, ink) {
    const { view } = at;
    pen.fillStyle = ink.ink;
    let painted = -1;
    const { boundaries, times } = values;
    const apart = (at.perSecond * view.duration) / Math.max(1, boundaries.length);
    pen.globalAlpha = Math.min(1, Math.max(0.25, apart / 6));
    for (let place = 0; place < boundaries.length; place++) {
      const time = times[boundaries[place]];
      if (time < view.start || time > view.end) continue;
      const x = at.snapped(time);
      if (x < painted + 1) continue;
      painted = x;
      pen.fillRect(x, top, 1, height);
    }
    pen.globalAlpha = 1;
  }

  function curve(pen, at, times, values, first, last, y, dense, line, area, width) {
    pen.strokeStyle = line;
    pen.lineWidth = width;
    pen.lineJoin = "round";
    pen.beginPath();
    if (!dense) {
      let drawing = false;
      for (let place = first; place <= last; place++) {
        if (Number.isNaN(values[place])) {
          drawing = false;
          continue;
        }
        if (drawing) pen.lineTo(at.x(times[place]), y(values[place]));
        else pen.moveTo(at.x(times[place]), y(values[place]));
        drawing = true;
      }
      pen.stroke();
      return;
    }
    const columns = condense(at, times, values, first, last);
    if (area) {
      pen.fillStyle = area;
      for (const { x, low, high } of columns) pen.fillRect(x, y(high), 1, Math.max(1, y(low) - y(high)));
    }
    columns.forEach(({ x, mean }, place) => (place ? pen.lineTo(x, y(mean)) : pen.moveTo(x, y(mean))));
    pen.stroke();
  }

  /** Least, mean and greatest value of each column of pixels. */
  function condense(at, times, values, first, last) {
    const columns = [];
    let column = null;
    for (let place = first; place <= last; place++) {
      const value = values[place];
      if (Number.isNaN(value)) continue;
      const x = Math.floor(at.x(times[place]));
      if (!column || column.x !== x) {
        column = { x, low: value, high: value, sum: 0, count: 0, mean: value };
        columns.push(column);
      }
      column.low = Math.min(column.low, value);
      column.high = Math.max(column.high, value);
      column.sum += value;
      column.count += 1;
      column.mean = column.sum / column.count;
    }
    return columns;
  }

  return { scale, axis, events, lane, guides, thumbnails, signal, fitting };
})();
