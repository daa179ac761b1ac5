"use strict";

/** Plays the recording, whole or an event of it; without one that the browser can play, only the time moves. */
report.Player = class Player {
  static RATES = [1, 2, 4, 8, 0.5];
  static SCHEMES = ["file:", "http:", "https:"];
  static PLAY = "M4 2.5v11l9-5.5z";
  static PAUSE = "M4 3h3v10H4zM9 3h3v10H9z";

  /** `heard` is called with the time whenever it changes. */
  constructor(heard) {
    for (const name of ["video", "still", "notice", "play", "clock", "loop", "rate", "sound"]) {
      this[name] = document.getElementById(name);
    }
    this.heard = heard;
    this.recording = null;
    this.range = null; // {start, end} of the event that is played
    this.time = 0;
    this.video.addEventListener("error", () => this.#silence());
    this.video.addEventListener("loadedmetadata", () => this.#loaded());
    for (const name of ["play", "pause", "ended"]) this.video.addEventListener(name, () => this.#showState());
    this.video.addEventListener("play", () => window.requestAnimationFrame(() => this.#follow()));
    for (const name of ["seeked", "timeupdate"]) this.video.addEventListener(name, () => this.#hear());
    this.play.addEventListener("click", () => this.toggle());
    this.loop.addEventListener("click", () => this.toggleLoop());
    this.rate.addEventListener("click", () => this.nextRate());
    this.sound.addEventListener("click", () => this.toggleSound());
  }

  /** Takes another recording. */
  open(recording, sheet = null) {
    this.recording = recording;
    this.sheet = sheet;
    this.range = null;
    this.time = 0;
    this.usable = false;
    this.wanted = null;
    this.video.removeAttribute("src");
    this.video.load();
    const address = Player.address(recording.data.address);
    const barred = address?.protocol === "file:" && window.location.protocol !== "file:";
    this.source = barred ? null : address;
    this.#announce(this.source ? "" : this.#absent(barred));
    // What lies on a server is not asked for before the reader wants to see it.
    if (this.source?.protocol === "file:") this.#attach();
    this.#showState();
    this.#show();
  }

  /** An address that may be played; null for anything else. */
  static address(text) {
    if (!text) return null;
    try {
      const address = new URL(text);
      return Player.SCHEMES.includes(address.protocol) ? address : null;
    } catch {
      return null;
    }
  }

  #absent(barred) {
    const { data } = this.recording;
    if (barred) return `This page comes from a server; the video lies on a disk: ${data.place}`;
    return data.kind === "video" ? `Cannot be played: ${data.place}` : "Features, no video: nothing to play";
  }

  #attach() {
    this.video.src = this.source.href;
    this.usable = true;
  }

  #silence() {
    if (!this.video.hasAttribute("src")) return;
    this.usable = false;
    const { codec, place } = this.recording.data;
    this.#announce(`This browser cannot play it${codec ? ` (${codec})` : ""}: ${place}`);
    this.video.removeAttribute("src");
    this.#showState();
    this.#show();
  }

  #announce(text) {
    this.notice.textContent = text;
    this.notice.classList.toggle("hidden", !text);
  }

  #loaded() {
    if (this.video.videoWidth === 0) {
      this.#silence();
      return;
    }
    this.video.currentTime = this.recording.data.offset + this.time;
    if (this.wanted === "play") this.video.play().catch(() => this.#showState());
    this.wanted = null;
    this.#show();
  }

  get playing() {
    return this.usable && !this.video.paused && !this.video.ended;
  }

  toggle() {
    if (this.playing) {
      this.video.pause();
      return;
    }
    if (this.time >= this.recording.duration - 0.05) this.seek(0);
    this.#start();
  }

  #start() {
    if (!this.source) return;
    if (!this.video.hasAttribute("src")) {
      if (!this.usable && this.source.protocol === "file:") return;
      this.wanted = "play";
      this.#attach();
      return;
    }
    this.video.play().catch(() => this.#showState());
  }

  /** Goes to a time; what was played of an event is over. */
  seek(time) {
    this.range = null;
    this.#jump(time);
  }

  #jump(time) {
    this.time = Math.min(this.recording.duration, Math.max(0, time));
    if (this.usable && this.video.readyState > 0) this.video.currentTime = this.recording.data.offset + this.time;
    this.#show();
    this.heard(this.time);
  }

  /** Plays an event, again and again where the reader wants it. */
  playEvent(event) {
    this.range = { start: event.start, end: event.end };
    this.#jump(event.start);
    this.#start();
  }

  /** Forgets the event that is being played. */
  release() {
    this.range = null;
  }

  toggleLoop() {
    const on = this.loop.getAttribute("aria-pressed") !== "true";
    this.loop.setAttribute("aria-pressed", String(on));
  }

  get looping() {
    return this.loop.getAttribute("aria-pressed") === "true";
  }

  nextRate() {
    const rates = Player.RATES;
    this.video.playbackRate = rates[(rates.indexOf(this.video.playbackRate) + 1) % rates.length];
    this.video.defaultPlaybackRate = this.video.playbackRate;
    this.rate.textContent = `${this.video.playbackRate}\u00d7`;
  }

  toggleSound() {
    this.video.muted = !this.video.muted;
    this.sound.setAttribute("aria-pressed", String(this.video.muted));
  }

  #follow() {
    if (!this.playing) return;
    this.#hear();
    window.requestAnimationFrame(() => this.#follow());
  }

  #hear() {
    if (!this.usable || this.video.readyState === 0) return;
    const time = this.video.currentTime - this.recording.data.offset;
    if (this.playing && this.range && time >= this.range.end) {
      if (this.looping) this.#jump(this.range.start);
      else {
        this.video.pause();
        this.range = null;
      }
    } else if (this.playing && time >= this.recording.duration) this.video.pause();
    this.time = Math.min(this.recording.duration, Math.max(0, time));
    this.#show();
    this.heard(this.time);
  }

  #showState() {
    document.getElementById("play-shape").setAttribute("d", this.playing ? Player.PAUSE : Player.PLAY);
    this.play.disabled = !this.source || (!this.usable && this.source.protocol === "file:");
    this.#show();
  }

  /** The sheet of thumbnails has come. */
  setSheet(sheet) {
    this.sheet = sheet;
    this.#show();
  }

  #show() {
    const { duration, film } = this.recording;
    const shown = report.clock(this.time, 1, duration);
    this.clock.textContent = `${shown} / ${report.clock(duration, 1, duration)}`;
    this.still.parentElement.classList.toggle("bare", !this.source && !(film && this.sheet));
    const stands = !this.usable || this.video.readyState < 2;
    this.still.classList.toggle("hidden", !(stands && film && this.sheet));
    if (!stands || !film || !this.sheet) return;
    if (this.still.width !== film.width) [this.still.width, this.still.height] = [film.width, film.height];
    report.drawFrame(this.still, this.sheet, film, this.recording.frameAt(this.time));
  }
};

/** Draws one thumbnail of a sheet so that it fills a canvas. */
report.drawFrame = (canvas, sheet, film, frame) => {
  const left = (frame % film.columns) * film.width;
  const top = Math.floor(frame / film.columns) * film.height;
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(sheet, left, top, film.width, film.height, 0, 0, canvas.width, canvas.height);
};
