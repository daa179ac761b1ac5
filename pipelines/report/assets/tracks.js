"use strict";

/** The rows of a timeline, from the top: what each shows, how high it is, and what stands beside it. */
report.tracks = (() => {
  const { element, counted, length } = report;
  const AMONG = 3;
  const BETWEEN = 12;
  const HEIGHTS = { overview: 20, axis: 24, film: 54, level: 26, signal: 46 };
  const TRUTH_ROW = 20;

  /** Builds the rows of a recording; `shown.signals` tells whether signals are among them. */
  function build(recording, shown) {
    const rows = [
      { kind: "overview", name: "" },
      { kind: "axis", name: "", gap: 0 },
    ];
    if (recording.film) rows.push({ kind: "film", name: "frames", gap: AMONG });
    recording.truth.forEach((truth, place) => rows.push({
      kind: "truth", name: truth.name, note: `${truth.events.length.toLocaleString("en")} annotated`,
      truth, height: truth.rows * TRUTH_ROW, gap: place ? AMONG : BETWEEN,
    }));
    const two = recording.runs.length > 1;
    for (const run of recording.runs) {
      const levels = run ? [...run.levels].reverse() : [];
      levels.forEach((level, place) => rows.push({
        kind: "level", name: `level ${level.index}`, note: counted(level.count, "event"),
        level, run: two ? run : null, gap: place ? AMONG : BETWEEN,
      }));
    }
    if (shown.signals) {
      for (const run of recording.runs) {
        const levels = run ? run.levels.filter((level) => level.signal).reverse() : [];
        levels.forEach((level, place) => rows.push({
          kind: "signal", name: level.signal.name, note: `level ${level.index}`,
          level, run: two ? run : null, gap: place ? AMONG : BETWEEN,
        }));
      }
    }
    let top = 0;
    for (const row of rows) {
      row.height ??= HEIGHTS[row.kind];
      row.top = top + (row.gap ?? 0);
      top = row.top + row.height;
    }
    return rows;
  }

  /** What stands beside a row; `row.reading` is where its value at the pointer goes. */
  function label(row) {
    row.reading = element("span", { class: "reading" });
    const name = element("span", { class: "name", title: row.name }, row.name);
    const note = row.note ? element("span", { class: "note" }, row.note) : null;
    const made = element(
      "div", { class: `label ${row.kind}` },
      row.run ? report.tag(row.run.place) : null,
      element("span", { class: "words" }, name, note),
      row.reading,
    );
    made.style.top = `${row.top}px`;
    made.style.height = `${row.height}px`;
    return made;
  }

  /** What a row says of a time. */
  function reading(row, time) {
    if (time === null) return "";
    if (row.kind === "level") {
      const index = row.level.at(time);
      return `#${index + 1} \u00b7 ${length(row.level.end(index) - row.level.starts[index])}`;
    }
    if (row.kind === "signal") {
      const { times, values, limits } = row.level.signal;
      const place = Math.max(0, report.Recording.search(times, time + report.Level.SLACK_S));
      const digits = (value) => (Number.isNaN(value) ? "\u2013" : value.toPrecision(3));
      if (values[place] === undefined) return "";
      return limits ? `${digits(values[place])} / ${digits(limits[place])}` : digits(values[place]);
    }
    return "";
  }

  return { build, label, reading };
})();
