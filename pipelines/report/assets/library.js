"use strict";

/** The library: all videos of a run or two. */
(async () => {
  const $ = (name) => document.getElementById(name);
  const { element, tag } = report;
  const STATES = ["done", "failed", "skipped"];
  const BAND_WIDTH = 384;
  const BAR = 8; // pixels from one bar to the next
  const BAR_GAP = 2;

  $("theme").addEventListener("click", report.toggleTheme);
  let library;
  try {
    library = await report.load("library");
  } catch (error) {
    $("message").textContent = error.message;
    $("message").classList.remove("hidden");
    return;
  }
  const two = library.runs.length > 1;
  const levels = library.videos.reduce((most, video) => Math.max(most, ...video.runs.map((run) => run?.events?.length ?? 0)), 0);
  const truths = [...new Set(library.metrics.map((metric) => metric.truth).filter((truth) => truth !== null))];
  const shown = { words: [], state: null, truth: truths[0] ?? null };
  library.metrics.forEach((metric, place) => (metric.place = place));

  for (const video of library.videos) {
    const known = video.runs.filter((run) => run);
    video.state = STATES.find((state) => known.some((run) => run.status === state));
    video.reasons = [...new Set(known.map((run) => run.reason).filter((reason) => reason))];
    video.text = [video.id, video.state, ...video.reasons].join(" ").toLowerCase();
  }

  function describe() {
    const names = library.runs.map((run) => run.name);
    document.title = names.join(" and ");
    $("title").replaceChildren(...library.runs.map((run, place) => element("span", { class: "name" }, two ? tag(place) : null, two ? ` ${run.name}` : run.name)));
    const seconds = library.videos.reduce((sum, video) => sum + (video.file ? video.duration : 0), 0);
    const parts = [`${report.counted(library.videos.length, "video")}, ${report.length(seconds)}`];
    library.runs.forEach((run, place) => {
      const counts = [];
      for (const video of library.videos) video.runs[place]?.events?.forEach((count, level) => (counts[level] = (counts[level] ?? 0) + count));
      if (counts.length) parts.push(`${two ? `${"AB"[place]}: ` : ""}events by level ${counts.map((count) => count.toLocaleString("en")).join(" / ")}`);
      if (run.state && run.state !== "finished") parts.push(`${two ? `${"AB"[place]}: ` : ""}${run.state}`);
    });
    parts.push(`made ${library.made.replace("T", " ").replace("+00:00", " UTC")}`);
    $("totals").textContent = parts.join(" \u00b7 ");
  }

  function describeScores() {
    if (!library.summary.length) return;
    $("scores").classList.remove("hidden");
    $("plots").replaceChildren(...report.summary.plots(library.summary));
    const floors = library.summary.some((row) => !row.own);
    const shapes = two ? [tag(0), " is the circle, ", tag(1), " the square. "] : [];
    $("legend").replaceChildren(...shapes, "From 0 to 1, means over the annotated videos. Boundary scores are of one level, that with the highest mean F1 @ 0.5 s, chosen knowing the annotation. T full is against all annotated levels together." + (floors ? " Rings are floors that see no pixel; the best is named." : ""));
  }

  function describeRuns() {
    const place = $("run-facts").querySelector(".runs");
    for (const [number, run] of library.runs.entries()) {
      const sections = run.sections.map((section) => element(
        "section", {}, element("h3", {}, section.title),
        element("dl", { class: "pairs" }, ...section.entries.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
      ));
      place.append(element("div", { class: "run" }, two ? element("h2", {}, tag(number), ` ${run.name}`) : null, element("div", { class: "sections" }, ...sections)));
    }
    if (library.truth) place.append(element("p", { class: "quiet" }, `Annotations: ${library.truth}`));
    if (!library.notes.length) return;
    $("notes").classList.remove("hidden");
    $("notes").querySelector("summary").textContent = report.counted(library.notes.length, "note");
    $("notes").querySelector("ul").append(...library.notes.map((note) => element("li", {}, note)));
  }

  /** Some pictures of a video, above its coarsest level in the colours of similarity. */
  function film(video) {
    if (!video.file) return element("span", { class: "reason" }, video.reasons.join("; ") || "no events");
    const band = element("canvas", { class: "band", width: BAND_WIDTH * 2, height: 12, "aria-hidden": "true" });
    const pen = band.getContext("2d");
    const unknown = getComputedStyle(document.documentElement).getPropertyValue("--unknown");
    const { starts, colours } = video.band;
    starts.forEach((start, place) => {
      const [left, right] = [start, starts[place + 1] ?? 1000].map((share) => (share / 1000) * band.width);
      pen.fillStyle = report.colours.of(colours[place], unknown);
      pen.fillRect(left, 0, Math.max(1, right - left - (right - left > 6 ? 2 : 0)), band.height);
    });
    const strip = video.strip ? element("img", { src: report.picture(video.file, ".strip.jpg"), alt: "", width: BAND_WIDTH, height: 27 }) : null;
    return element("span", { class: strip ? "film" : "film bare" }, strip, band);
  }

  function name(video) {
    if (!video.file) return element("span", { class: "id" }, video.id);
    return element("a", { class: "id", href: report.videoPage(video.id) }, video.id);
  }

  function status(video) {
    const states = video.runs.map((run) => run?.status ?? "absent");
    const marks = two
      ? states.map((state, place) => element("span", { class: "pair" }, tag(place), element("span", { class: `status ${state}` }, state)))
      : [element("span", { class: `status ${states[0]}` }, states[0])];
    const odd = video.file && video.reasons.length ? element("span", { class: "odd", title: video.reasons.join("; ") }, video.reasons.join("; ")) : null;
    return [...marks, odd].filter((part) => part);
  }

  /** Per run, what `make` makes of it, one below the other where there are two. */
  function perRun(video, make) {
    const lines = video.runs.map((run, place) => make(run, place));
    if (!two) return lines;
    return lines.map((line) => element("span", { class: "pair" }, ...[line].flat()));
  }

  function metricColumns() {
    return chooser.columns.map((metric) => ({
      name: report.summary.wording(metric.metric),
      title: metric.levels ? "Bars are levels, the finest first; the value is of the level that is best over all videos" : undefined,
      kind: "score",
      number: true,
      value: (video) => told(video, 0, metric) ?? told(video, 1, metric),
      cell: (video) => perRun(video, (_, run) => score(video, run, metric)),
    }));
  }

  const highests = new Map();

  /** The highest value of a metric in the library, which bars are measured by. */
  function highest(place) {
    if (!highests.has(place)) {
      const values = library.videos.flatMap((video) => video.scores.flatMap((scores) => scores?.[place] ?? []));
      highests.set(place, values.reduce((most, value) => Math.max(most, value ?? 0), 1e-9));
    }
    return highests.get(place);
  }

  /** The level that the scores of levels are told of. */
  function bestLevel(run) {
    return library.best_levels[run]?.[shown.truth] ?? null;
  }

  /** The value of a video: of its whole hierarchy, or of the level that is best over all videos. */
  function told(video, run, { place, levels }) {
    return video.scores[run]?.[place]?.[levels ? bestLevel(run) : 0] ?? null;
  }

  /** A value, with those of all levels as bars, the finest first. */
  function score(video, run, metric) {
    const values = video.scores[run]?.[metric.place] ?? [];
    if (values.every((of) => of === null)) return "";
    const value = told(video, run, metric);
    const shownValue = element("span", { class: "told" }, value === null ? "\u2013" : value.toFixed(3));
    if (!metric.levels || levels < 2) return element("span", { class: "value" }, shownValue);
    const bars = element("span", { class: "bars", "aria-hidden": "true" }, ...values.map((of, level) => {
      const bar = element("i", { class: level === bestLevel(run) ? "best" : "" });
      bar.style.height = `${(100 * (of ?? 0)) / highest(metric.place)}%`;
      return bar;
    }));
    bars.style.minWidth = `${levels * BAR - BAR_GAP}px`; // so that the same level stands in the same place in all rows
    const title = values.map((of, level) => `level ${level}: ${of ?? "undefined"}`).join(", ");
    return element("span", { class: "value", title }, bars, shownValue);
  }

  function columns() {
    const events = Array.from({ length: levels }, (_, level) => ({
      name: `level ${level}`,
      title: `Events of level ${level}`,
      number: true,
      value: (video) => video.runs[0]?.events?.[level] ?? video.runs[1]?.events?.[level] ?? null,
      cell: (video) => perRun(video, (run) => run?.events?.[level]?.toLocaleString("en") ?? ""),
    }));
    return [
      { name: "", kind: "strip", cell: film },
      { name: "video", kind: "video", value: (video) => video.id, cell: name },
      { name: "length", number: true, value: (video) => video.duration, cell: (video) => (video.duration === null ? "" : report.clock(video.duration, 0)) },
      { name: "status", kind: "state", value: (video) => `${STATES.indexOf(video.state)} ${video.reasons.join()}`, cell: status },
      ...events,
      ...metricColumns(),
    ];
  }

  function open(video) {
    if (video.file) window.location.href = report.videoPage(video.id);
  }

  const chooser = new report.Chooser($("metrics"), () => showColumns());
  offerMetrics();
  const table = new report.Table($("table"), columns(), open);

  function offerMetrics() {
    chooser.offer(library.metrics.filter((metric) => metric.truth === null || metric.truth === shown.truth));
  }

  function showColumns() {
    table.setColumns(columns());
    update();
  }

  function update() {
    const rows = library.videos.filter((video) => (!shown.state || video.state === shown.state) && shown.words.every((word) => video.text.includes(word)));
    $("count").textContent = rows.length === library.videos.length ? "" : `${rows.length.toLocaleString("en")} of ${report.counted(library.videos.length, "video")}`;
    $("empty").classList.toggle("hidden", rows.length > 0);
    $("table").classList.toggle("hidden", rows.length === 0);
    table.setRows(rows);
  }

  function filterBy(state) {
    shown.state = state;
    for (const button of $("filters").children) button.setAttribute("aria-pressed", String(button.dataset.state === (state ?? "all")));
    update();
  }

  function describeFilters() {
    const states = STATES.filter((state) => library.videos.some((video) => video.state === state));
    if (states.length < 2) return;
    $("filters").append(...[null, ...states].map((state) => {
      const count = library.videos.filter((video) => !state || video.state === state).length;
      return element("button", { class: "button plain", type: "button", "aria-pressed": String(!state), "data-state": state ?? "all", on: { click: () => filterBy(state) } }, state ?? "all", element("span", { class: "quiet" }, count.toLocaleString("en")));
    }));
  }

  function describeTruths() {
    if (truths.length < 2) return;
    $("truth-choice").classList.remove("hidden");
    $("truth").append(...truths.map((truth) => element("option", {}, truth)));
    $("truth").addEventListener("change", () => {
      shown.truth = truths[$("truth").selectedIndex];
      offerMetrics();
      showColumns();
    });
  }

  $("search").addEventListener("input", () => {
    shown.words = $("search").value.toLowerCase().split(/\s+/).filter((word) => word);
    update();
  });
  $("search").addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "Enter") $("table").focus();
  });
  $("clear").addEventListener("click", () => {
    $("search").value = "";
    shown.words = [];
    filterBy(null);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select")) return;
    if (event.key === "/") $("search").focus();
    else if (event.key === "t") report.toggleTheme();
    else return;
    event.preventDefault();
  });
  report.onTheme(update);

  describe();
  describeScores();
  describeRuns();
  describeFilters();
  describeTruths();
  $("main").classList.remove("hidden");
  update();
})();
