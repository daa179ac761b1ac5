"use strict";

/** What both pages share. Texts from outside reach the page as text nodes only. */
const report = (() => {
  const received = new Map();
  const FAILED = "a file of this report is missing: make the report again";

  /** Takes what a script under data/ hands over. */
  function receive(name, value) {
    received.set(name, value);
  }

  /** Loads data/NAME.js, once; a page opened from disk may fetch nothing, but it may run scripts. */
  function load(name) {
    if (received.has(name)) return Promise.resolve(received.get(name));
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = "data/" + name.split("/").map(encodeURIComponent).join("/") + ".js";
      script.onload = () => (received.has(name) ? resolve(received.get(name)) : reject(new Error(FAILED)));
      script.onerror = () => reject(new Error(FAILED));
      document.head.append(script);
    });
  }

  /** Forgets data that was loaded, so that a long visit to a large library needs little memory. */
  function forget(name) {
    received.delete(name);
  }

  /** Makes an element. Children are elements or texts; `on` holds listeners, other keys are attributes. */
  function element(kind, attributes = {}, ...children) {
    const made = document.createElement(kind);
    for (const [key, value] of Object.entries(attributes)) {
      if (key === "on") {
        for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
      } else if (value === true) made.setAttribute(key, "");
      else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, String(value));
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  }

  const DRAWINGS = "http://www.w3.org/2000/svg";

  /** Makes an element of a drawing. */
  function drawing(kind, attributes = {}, ...children) {
    const made = document.createElementNS(DRAWINGS, kind);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
    made.append(...children);
    return made;
  }

  /** A time as m:ss, or h:mm:ss beside times of an hour or more, with so many decimals. */
  function clock(seconds, decimals = 0, longest = seconds) {
    const unit = 10 ** decimals;
    const units = Math.round(Math.abs(seconds) * unit);
    const whole = Math.floor(units / unit);
    const tail = decimals ? "." + String(units % unit).padStart(decimals, "0") : "";
    const two = (number) => String(number).padStart(2, "0");
    const sign = seconds < 0 && units > 0 ? "\u2212" : "";
    const minutes = Math.floor(whole / 60);
    if (longest < 3600) return `${sign}${minutes}:${two(whole % 60)}${tail}`;
    return `${sign}${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}${tail}`;
  }

  /** A length in words: 3.5 s, 2 min 03 s, 1 h 05 min. */
  function length(seconds) {
    if (seconds < 9.95) return `${Number(seconds.toPrecision(2))} s`;
    if (seconds < 99.5) return `${Number(seconds.toFixed(1))} s`;
    const whole = Math.round(seconds);
    const two = (number) => String(number).padStart(2, "0");
    if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
    return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
  }

  function counted(number, noun) {
    return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
  }

  /** Whole numbers from their differences. */
  function summed(differences) {
    let total = 0;
    return differences.map((difference) => (total += difference));
  }

  /** Theme: what the reader chose, or else what the system prefers. */
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const themeListeners = [];

  function chosenTheme() {
    try {
      return window.localStorage.getItem("report-theme");
    } catch {
      return null; // storage is off; the system's preference holds
    }
  }

  function applyTheme() {
    document.documentElement.dataset.theme = chosenTheme() ?? (dark.matches ? "dark" : "light");
    for (const listener of themeListeners) listener();
  }

  function toggleTheme() {
    const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try {
      window.localStorage.setItem("report-theme", next);
    } catch {
      document.documentElement.dataset.theme = next;
      for (const listener of themeListeners) listener();
      return;
    }
    applyTheme();
  }

  dark.addEventListener("change", applyTheme);
  applyTheme();

  /** Calls a listener when the theme changes. */
  function onTheme(listener) {
    themeListeners.push(listener);
  }

  /** Address of a video's page; `event` is [run, level, event]. */
  function videoPage(id, event = null) {
    const words = new URLSearchParams({ v: id });
    if (event) words.set("e", event.join("."));
    return "video.html#" + words;
  }

  /** Address of a picture of a video. */
  function picture(file, suffix) {
    return "thumbnails/" + encodeURIComponent(file) + suffix;
  }

  function reducedMotion() {
    return window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  }

  /** A, B: which of two runs. */
  function tag(run) {
    return element("span", { class: run ? "tag second" : "tag" }, "AB"[run]);
  }

  return {
    receive, load, forget, element, drawing, clock, length, counted, summed,
    toggleTheme, onTheme, videoPage, picture, reducedMotion, tag,
  };
})();
