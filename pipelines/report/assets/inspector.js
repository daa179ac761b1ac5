"use strict";

/** Tells of the selected event, or of the levels where none is selected. */
report.Inspector = class Inspector {
  static BARS = 18;

  /** `asks` holds what the reader may ask for: select(event), play(event), go(id, event). */
  constructor(asks) {
    this.place = document.getElementById("inspector");
    this.asks = asks;
    this.sheets = new Map();
    this.shownFor = null;
  }

  /** Shows an event; with null, the levels of the recording. */
  show(recording, event) {
    this.shownFor = event;
    this.recording = recording;
    this.place.replaceChildren(...(event ? this.#event(recording, event) : this.#levels(recording)));
    if (event) this.#showNearest(recording, event);
  }

  #event(recording, event) {
    const { element, clock, length } = report;
    const level = recording.runs[event.run].levels[event.level];
    const [start, end] = [event.start, event.end].map((time) => clock(time, 1, recording.duration));
    const swatch = element("span", { class: "swatch" });
    const paint = () => {
      swatch.style.background = report.colours.of(level.colours[event.index], "var(--unknown)");
    };
    paint();
    this.repaint = paint;
    const title = element(
      "h2", { class: "title" },
      recording.runs.length > 1 ? report.tag(event.run) : null,
      swatch,
      `Level ${event.level}, event ${event.index + 1}`,
      element("span", { class: "quiet" }, `of ${level.count.toLocaleString("en")}`),
    );
    const play = element("button", { class: "button", type: "button", title: "Play this event (Enter)", on: { click: () => this.asks.play(event) } }, "Play");
    const fit = element("button", { class: "button", type: "button", title: "Zoom to this event (f)", on: { click: () => this.asks.zoom(event) } }, "Zoom");
    const clear = element("button", { class: "button plain", type: "button", title: "Select nothing (Esc)", on: { click: () => this.asks.select(null) } }, "\u2715", element("span", { class: "unseen" }, "Select nothing"));
    const facts = element("dl", { class: "facts" });
    const fact = (name, ...values) => facts.append(element("dt", {}, name), element("dd", {}, ...values));
    fact("time", `${start} \u2013 ${end}`);
    fact("length", length(event.end - event.start));
    this.#relatives(recording, event, fact);
    const known = (value) => value !== null && value !== undefined;
    if (level.means.some(known) || level.ends.some(known)) {
      const digits = (value) => (known(value) ? String(value).replace("-", "\u2212") : "\u2013");
      fact(`mean ${level.signal?.name ?? "signal"}`, digits(level.means[event.index]));
      fact(level.merged ? "height of its end" : "at its end", digits(level.ends[event.index]));
    }
    this.nearest = element("div", { class: "nearest" });
    return [
      element("div", { class: "head" }, title, element("div", { class: "group" }, play, fit, clear)),
      element("div", { class: "columns" }, facts, this.nearest),
    ];
  }

  #relatives(recording, event, fact) {
    const { element } = report;
    const link = (target, text) => element("button", { class: "link", type: "button", on: { click: () => this.asks.select(target) } }, text);
    const parent = recording.parent(event);
    fact("part of", parent ? link(parent, `level ${parent.level}, event ${parent.index + 1}`) : "\u2013");
    const children = recording.children(event);
    if (!children) {
      fact("holds", report.counted(Math.max(1, Math.round((event.end - event.start) / recording.runs[event.run].snippet)), "snippet"));
      return;
    }
    const [first, last] = children;
    const child = recording.event(event.run, event.level - 1, first);
    fact("holds", link(child, report.counted(last - first + 1, "event")), ` of level ${event.level - 1}`);
  }

  /** Loads the nearest events, which lie in a file of their own, and shows them unless the reader has gone on. */
  async #showNearest(recording, event) {
    const place = this.nearest;
    const { element } = report;
    let data;
    try {
      data = await report.load(`neighbours/${event.run}-${recording.row.file}`);
    } catch (error) {
      place.append(element("p", { class: "quiet" }, error.message));
      return;
    }
    if (this.shownFor !== event) return;
    const { width, pairs } = data.levels[event.level];
    const found = [];
    for (let rank = 0; rank < width; rank++) {
      const [number, cosine] = pairs.slice(2 * (event.index * width + rank), 2 * (event.index * width + rank) + 2);
      if (number < 0) continue;
      const [video, index, start, end, frame] = data.places.slice(5 * number, 5 * number + 5);
      found.push({ ...data.videos[video], index, start: start / 1000, end: end / 1000, frame, cosine: cosine / 1000 });
    }
    const [total, searched] = recording.library.candidates[event.run][event.level];
    if (!found.length) {
      const known = recording.runs[event.run].levels[event.level].colours[event.index] >= 0;
      place.append(element("p", { class: "quiet" }, known ? "No other event of this level lies elsewhere." : "Nothing is known to be like this event."));
      return;
    }
    const groups = { "Nearest in this video": true, "Nearest in other videos": false };
    for (const [title, here] of Object.entries(groups)) {
      const cards = found.filter((other) => (other.id === recording.id) === here);
      if (!cards.length) continue;
      place.append(element("div", {}, element("h3", {}, title), element("ul", { class: "cards" }, ...cards.map((other) => this.#card(recording, event, other)))));
    }
    if (searched < total) {
      place.append(element("p", { class: "quiet" }, `Sought among ${searched.toLocaleString("en")} of ${total.toLocaleString("en")} events, drawn at random.`));
    }
  }

  #card(recording, event, other) {
    const { element, clock } = report;
    const pictured = other.film && other.frame >= 0;
    const canvas = pictured ? element("canvas", { width: 128, height: 72, "aria-hidden": "true" }) : null;
    const row = recording.library.videos.find((video) => video.id === other.id);
    if (pictured) this.#picture(canvas, row.file, other);
    const here = other.id === recording.id;
    const time = clock(other.start, 1, row.duration);
    const cosine = other.cosine.toFixed(3).replace("-", "\u2212");
    const button = element(
      "button",
      { class: "card", type: "button", title: `${other.id}, ${time} \u2013 ${clock(other.end, 1, row.duration)}, cosine ${cosine}`, on: { click: () => this.asks.go(other.id, [event.run, event.level, other.index]) } },
      canvas,
      here ? null : element("span", { class: "card-name" }, other.id),
      element("span", { class: "card-facts quiet" }, element("span", {}, time), element("span", {}, cosine)),
    );
    return element("li", {}, button);
  }

  #picture(canvas, file, other) {
    if (!this.sheets.has(file)) {
      const image = new Image();
      image.src = report.picture(file, ".jpg");
      this.sheets.set(file, image.decode().then(() => image, () => null));
    }
    this.sheets.get(file).then((sheet) => {
      if (!sheet) return; // the card stays without a picture
      const { film } = other;
      const scale = Math.min(canvas.width / film.width, canvas.height / film.height);
      [canvas.width, canvas.height] = [Math.round(film.width * scale), Math.round(film.height * scale)];
      report.drawFrame(canvas, sheet, film, other.frame);
    });
  }

  #levels(recording) {
    const { element, length } = report;
    this.repaint = () => {};
    const table = element("table", { class: "levels" }, element("thead", {}, element("tr", {}, ...["", "events", "median", "lengths"].map((name) => element("th", { scope: "col" }, name)))));
    const body = element("tbody");
    for (const run of recording.runs) {
      for (const level of run ? [...run.levels].reverse() : []) {
        const lengths = Float64Array.from(level.starts, (start, index) => level.end(index) - start).sort();
        body.append(element(
          "tr", {},
          element("th", { scope: "row" }, recording.runs.length > 1 ? report.tag(run.place) : null, ` level ${level.index}`),
          element("td", { class: "number" }, level.count.toLocaleString("en")),
          element("td", { class: "number" }, length(lengths[lengths.length >> 1])),
          element("td", {}, this.#histogram(lengths, recording)),
        ));
      }
    }
    table.append(body);
    return [
      element("div", { class: "head" }, element("h2", { class: "title" }, "Levels")),
      table,
      element("p", { class: "quiet hint" }, "Click an event to play it and to see its nearest events elsewhere. ", element("kbd", {}, "?"), " lists all keys."),
    ];
  }

  /** How long events are, on a scale of powers from a snippet to the whole video. */
  #histogram(lengths, recording) {
    const { drawing } = report;
    const bars = Inspector.BARS;
    const counts = new Array(bars).fill(0);
    const [least, most] = [Math.log(recording.snippet), Math.log(Math.max(recording.duration, recording.snippet * 2))];
    for (const seconds of lengths) {
      const share = (Math.log(seconds) - least) / (most - least);
      counts[Math.min(bars - 1, Math.max(0, Math.floor(share * bars)))] += 1;
    }
    const highest = Math.max(...counts);
    const picture = drawing("svg", { class: "histogram", viewBox: `0 0 ${bars * 6} 20`, role: "img", "aria-label": `lengths from ${report.length(lengths[0])} to ${report.length(lengths.at(-1))}` });
    counts.forEach((count, place) => {
      const height = count ? Math.max(1.5, (18 * count) / highest) : 0.5;
      picture.append(drawing("rect", { x: place * 6, y: 20 - height, width: 5, height }));
    });
    return picture;
  }
};
