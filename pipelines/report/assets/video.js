"use strict";

/** The page of one video: which one, and how timeline, player and inspector hang together. */
(() => {
  const $ = (name) => document.getElementById(name);
  const PAN = 0.2;
  const ZOOM = 1.6;
  const page = { library: null, recording: null, timeline: null, view: null, selected: null, asked: 0 };

  const player = new report.Player((time) => {
    page.timeline?.setPlayhead(time);
    follow(time);
  });
  const inspector = new report.Inspector({
    select: (event) => select(event),
    play: (event) => player.playEvent(event),
    zoom: (event) => zoomTo(event),
    go: (id, event) => go(id, event),
  });

  /** What the address asks for. */
  function asked() {
    const words = new URLSearchParams(window.location.hash.slice(1));
    const event = (words.get("e") ?? "").split(".").map(Number);
    return { id: words.get("v"), event: event.length === 3 && event.every(Number.isInteger) ? event : null };
  }

  async function open() {
    const turn = ++page.asked;
    const { id, event } = asked();
    try {
      page.library ??= await report.load("library");
      const row = page.library.videos.find((video) => video.id === id);
      if (!row?.file) {
        say(row ? "This video has no events to show." : "No such video in this report.");
        return;
      }
      if (page.recording?.id !== id) {
        const data = await report.load(`videos/${row.file}`);
        report.forget(`videos/${row.file}`);
        if (turn !== page.asked) return;
        show(new report.Recording(data, row, page.library));
      }
    } catch (error) {
      say(error.message);
      return;
    }
    const found = event && page.recording.event(...event);
    if (found) {
      page.view.reveal(found.start, found.end);
      select(found, { plays: false });
      player.seek(found.start);
    }
  }

  function say(text) {
    $("message").textContent = text;
    $("message").classList.remove("hidden");
    $("main").classList.add("hidden");
    document.title = text;
  }

  function show(recording) {
    $("message").classList.add("hidden");
    $("main").classList.remove("hidden");
    page.timeline?.close();
    page.recording?.runs.forEach((_, run) => report.forget(`neighbours/${run}-${page.recording.row.file}`));
    page.recording = recording;
    page.selected = null;
    page.view = new report.View(recording.duration);
    page.view.listeners.push(tellRange);
    document.title = recording.id;
    $("name").textContent = recording.id;
    $("facts").replaceChildren(...facts(recording));
    neighbour("previous", -1);
    neighbour("next", 1);
    const shown = page.timeline?.shown ?? {};
    page.timeline = new report.Timeline(recording, page.view, {
      seek: (time) => player.seek(time),
      select: (event) => select(event, { plays: true }),
      pointed: tellPointer,
      sheet: (sheet) => player.setSheet(sheet),
    });
    Object.assign(page.timeline.shown, shown);
    page.timeline.layout();
    tellKey();
    player.open(recording);
    inspector.show(recording, null);
    tellRange();
  }

  /** Names the lines that can be seen. */
  function tellKey() {
    const { signals, guides } = page.timeline.shown;
    const known = page.recording.runs.flatMap((run) => run?.levels.map((level) => level.signal) ?? []).filter((signal) => signal);
    const there = {
      "signal-key": signals && known.length > 0,
      "limit-key": signals && known.some((signal) => signal.limits),
      "boundary-key": signals && known.length > 0,
      "guide-key": guides && page.recording.truth.length > 0,
    };
    for (const [name, shown] of Object.entries(there)) $(name).classList.toggle("hidden", !shown);
    $("signals").classList.toggle("hidden", !known.length);
    $("guides").classList.toggle("hidden", !page.recording.truth.length);
  }

  function facts(recording) {
    const { data } = recording;
    const parts = [report.length(recording.duration)];
    if (data.width) parts.push(`${data.width}\u00d7${data.height}`);
    if (data.fps) parts.push(`${Number(data.fps.toFixed(2))} fps`);
    if (data.codec) parts.push(data.codec);
    const reasons = recording.row.runs.filter((run) => run?.reason).map((run) => run.reason);
    const { runs } = page.library;
    const names = runs.length > 1 ? runs.map((run, place) => report.element("span", { class: "run-name" }, report.tag(place), ` ${run.name}`)) : [];
    return [...names, [...parts, ...new Set(reasons)].join(" \u00b7 ")];
  }

  /** Videos that can be shown, in the order of the library. */
  function shownVideos() {
    return page.library.videos.filter((video) => video.file);
  }

  function beside(step) {
    const videos = shownVideos();
    return videos[videos.findIndex((video) => video.id === page.recording.id) + step] ?? null;
  }

  function neighbour(name, step) {
    const video = beside(step);
    if (video) $(name).href = report.videoPage(video.id);
    else $(name).removeAttribute("href");
    $(name).setAttribute("aria-disabled", String(!video));
  }

  function tellRange() {
    const { view } = page;
    const decimals = view.span < 20 ? 2 : view.span < 200 ? 1 : 0;
    const [start, end] = [view.start, view.end].map((time) => report.clock(time, decimals, view.duration));
    $("range").textContent = `${start} \u2013 ${end} (${report.length(view.span)})`;
  }

  function tellPointer(time) {
    $("pointer").textContent = time === null ? "" : `at ${report.clock(time, page.view.span < 200 ? 2 : 1, page.view.duration)}`;
  }

  /** Pages on when the playhead leaves what is shown. */
  function follow(time) {
    const { view } = page;
    if (!player.playing || !view || (time >= view.start && time <= view.end)) return;
    view.set(time - 0.02 * view.span, time + 0.98 * view.span);
  }

  function select(event, { plays = false } = {}) {
    page.selected = event;
    page.timeline.select(event);
    inspector.show(page.recording, event);
    const words = event ? report.videoPage(page.recording.id, [event.run, event.level, event.index]) : report.videoPage(page.recording.id);
    window.history.replaceState(null, "", words.slice(words.indexOf("#")));
    if (!event) {
      player.release();
      return;
    }
    page.view.reveal(event.start, event.end);
    const level = page.recording.runs[event.run].levels[event.level];
    $("announcer").textContent = `Level ${event.level}, event ${event.index + 1} of ${level.count}, ${report.clock(event.start, 1, page.recording.duration)} to ${report.clock(event.end, 1, page.recording.duration)}`;
    if (plays) player.playEvent(event);
  }

  function go(id, event) {
    window.location.hash = report.videoPage(id, event).split("#")[1];
  }

  function zoomTo(event) {
    const room = 0.15 * (event.end - event.start);
    page.view.glide(event.start - room, event.end + room);
  }

  function step(by) {
    const run = page.recording.runs.find((candidate) => candidate);
    const from = page.selected ?? { run: run.place, level: run.levels.length - 1, index: null };
    const level = page.recording.runs[from.run].levels[from.level];
    const index = from.index === null ? level.at(player.time) : from.index + by;
    const event = page.recording.event(from.run, from.level, index);
    if (event) stepTo(event);
  }

  function stepTo(event) {
    if (!event) return;
    select(event);
    player.seek(event.start);
  }

  function firstChild() {
    const children = page.selected && page.recording.children(page.selected);
    return children && page.recording.event(page.selected.run, page.selected.level - 1, children[0]);
  }

  function toggle(name) {
    const { shown } = page.timeline;
    shown[name] = !shown[name];
    $(name).setAttribute("aria-pressed", String(shown[name]));
    page.timeline.layout();
    tellKey();
  }

  function centre() {
    const { view } = page;
    const inside = player.time >= view.start && player.time <= view.end;
    return inside ? player.time : (view.start + view.end) / 2;
  }

  const KEYS = {
    " ": () => player.toggle(),
    ArrowLeft: () => page.view.pan(-PAN * page.view.span, true),
    ArrowRight: () => page.view.pan(PAN * page.view.span, true),
    ArrowUp: () => stepTo(page.selected && page.recording.parent(page.selected)),
    ArrowDown: () => stepTo(firstChild()),
    "+": () => page.view.zoom(ZOOM, centre(), true),
    "=": () => page.view.zoom(ZOOM, centre(), true),
    "-": () => page.view.zoom(1 / ZOOM, centre(), true),
    0: () => page.view.fit(),
    f: () => page.selected && zoomTo(page.selected),
    ",": () => player.seek(player.time - page.recording.snippet),
    ".": () => player.seek(player.time + page.recording.snippet),
    Home: () => move(0),
    End: () => move(page.recording.duration),
    "[": () => step(-1),
    "]": () => step(1),
    Enter: () => page.selected && player.playEvent(page.selected),
    Escape: () => select(null),
    l: () => player.toggleLoop(),
    m: () => player.toggleSound(),
    s: () => toggle("signals"),
    g: () => toggle("guides"),
    n: () => openBeside(1),
    p: () => openBeside(-1),
    t: () => report.toggleTheme(),
    "?": () => $("help").showModal(),
    Backspace: () => (window.location.href = "index.html"),
  };

  function move(time) {
    player.seek(time);
    page.view.reveal(time);
  }

  function openBeside(by) {
    const video = beside(by);
    if (video) go(video.id, null);
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || $("help").open || !page.recording) return;
    const pressed = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const onControl = event.target.closest("button, a, input, select");
    if (onControl && (pressed === " " || pressed === "Enter")) return; // they are that control's own
    const action = KEYS[pressed];
    if (!action) return;
    event.preventDefault();
    action();
  });

  $("theme").addEventListener("click", report.toggleTheme);
  $("help-button").addEventListener("click", KEYS["?"]);
  $("fit").addEventListener("click", KEYS[0]);
  $("in").addEventListener("click", KEYS["+"]);
  $("out").addEventListener("click", KEYS["-"]);
  $("signals").addEventListener("click", KEYS.s);
  $("guides").addEventListener("click", KEYS.g);
  $("video").addEventListener("click", KEYS[" "]);
  report.onTheme(() => inspector.repaint?.());
  window.addEventListener("hashchange", open);
  open();
})();
