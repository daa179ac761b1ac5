"use strict";

/** The data of one video as the page works with it: typed arrays, parents and children by search. */
report.Recording = class Recording {
  constructor(data, row, library) {
    Object.assign(this, { id: data.id, row, library, duration: data.duration, film: null, data });
    this.longest = data.duration;
    if (data.film) {
      const times = report.summed(data.film.times).map((ms) => ms / 1000);
      this.film = { ...data.film, times, file: row.file };
    }
    this.truth = data.truth.map((lane, place) => Recording.#lane(lane, place));
    this.runs = data.runs.map((run, place) => run && {
      place,
      name: library.runs[place].name,
      snippet: run.snippet,
      levels: run.levels.map((level, index) => new report.Level(level, index, place, this.duration, run.snippet)),
    });
    this.snippet = this.runs.find((run) => run).snippet;
  }

  static #lane(lane, place) {
    const count = lane.events.length / 4;
    const background = new Set(lane.background);
    const events = Array.from({ length: count }, (_, index) => {
      const [start, end, row, label] = lane.events.slice(4 * index, 4 * index + 4);
      return { start: start / 1000, end: end / 1000, row, label: lane.labels[label], empty: background.has(label) };
    });
    return { name: lane.name, rows: lane.rows, events, place };
  }

  /** An event as {run, level, index, start, end}; null if there is none of these numbers. */
  event(run, level, index) {
    const found = this.runs[run]?.levels[level];
    if (!found || !(index >= 0 && index < found.count)) return null;
    return { run, level, index, start: found.starts[index], end: found.end(index) };
  }

  /** The event one level up; null at the top. */
  parent(event) {
    const above = this.runs[event.run].levels[event.level + 1];
    return above ? this.event(event.run, event.level + 1, above.at(event.start)) : null;
  }

  /** First and last number of the events one level down; null at the finest. */
  children(event) {
    const below = this.runs[event.run].levels[event.level - 1];
    if (!below) return null;
    const first = below.at(event.start);
    const last = event.end >= this.duration ? below.count - 1 : below.at(event.end) - 1;
    return [first, Math.max(first, last)];
  }

  /** The number of the thumbnail taken nearest to a time. */
  frameAt(time) {
    const { times } = this.film;
    const after = report.Recording.search(times, time);
    if (after < 0) return 0;
    if (after + 1 < times.length && times[after + 1] - time < time - times[after]) return after + 1;
    return after;
  }

  /** The last place of an ascending array whose value is at most `value`; -1 if there is none. */
  static search(values, value) {
    let low = 0;
    let high = values.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (values[middle] <= value) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
};

/** One level of one run. */
report.Level = class Level {
  static SLACK_S = 0.0005; // times are whole milliseconds here

  constructor(data, index, run, duration, snippet) {
    this.index = index;
    this.run = run;
    this.duration = duration;
    this.starts = Float64Array.from(report.summed(data.starts), (ms) => ms / 1000);
    this.count = this.starts.length;
    this.colours = Int16Array.from(data.colours);
    this.means = data.means;
    this.ends = data.ends;
    this.merged = data.merged;
    this.signal = data.signal && Level.#signal(data.signal, snippet);
  }

  static #signal(data, snippet) {
    const { low, high } = data;
    const scale = (high - low) / 9999;
    const read = (steps) => Float64Array.from(steps, (step) => (step === null ? NaN : low + step * scale));
    return {
      name: data.name,
      low,
      high,
      times: Float64Array.from(report.summed(data.snippets), (index) => index * snippet),
      values: read(data.values),
      limits: data.limits && read(data.limits),
      boundaries: report.summed(data.boundaries),
    };
  }

  /** When an event ends. */
  end(index) {
    return index + 1 < this.count ? this.starts[index + 1] : this.duration;
  }

  /** The number of the event at a time. */
  at(time) {
    return Math.max(0, report.Recording.search(this.starts, time + Level.SLACK_S));
  }
};
