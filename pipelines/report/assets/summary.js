"use strict";

/** Scores over all videos: one line per metric, the runs as filled marks, floors that see no pixel as rings. */
report.summary = (() => {
  const { element, drawing } = report;
  const MARGIN = 3; // percent of the width

  /** Makes one plot per level of annotation; what takes all levels together stands in each. */
  function plots(rows) {
    const truths = [...new Set(rows.map((row) => row.truth).filter((truth) => truth !== null))];
    return truths.map((truth) => plot(truth, rows.filter((row) => row.truth === truth || row.truth === null)));
  }

  function plot(truth, rows) {
    const metrics = [...new Set(rows.map((row) => row.metric))];
    const table = element("table", { class: "dots" }, element("caption", {}, "against ", element("bdi", {}, truth)));
    for (const metric of metrics) {
      const own = rows.filter((row) => row.metric === metric && row.own);
      const floors = rows.filter((row) => row.metric === metric && !row.own && row.run === 0);
      table.append(element(
        "tr", {},
        element("th", { scope: "row" }, wording(metric)),
        element("td", {}, line(own, floors)),
        ...own.map((row) => element("td", { class: "number", title: describe(row) }, own.length > 1 ? report.tag(row.run) : null, ` ${row.value.toFixed(3)}`)),
        element("td", { class: "quiet" }, best(floors)),
      ));
    }
    return table;
  }

  function line(own, floors) {
    const x = (value) => `${MARGIN + Math.min(1, Math.max(0, value)) * (100 - 2 * MARGIN)}%`;
    const picture = drawing("svg", { class: "dot-line", role: "img", "aria-label": [...own, ...floors].map(describe).join(", ") });
    picture.append(drawing("line", { x1: x(0), x2: x(1), y1: 9, y2: 9, class: "scale" }));
    for (const tick of [0, 0.5, 1]) picture.append(drawing("line", { x1: x(tick), x2: x(tick), y1: 6, y2: 12, class: "scale" }));
    for (const row of floors) picture.append(mark("circle", { cx: x(row.value), cy: 9, r: 4, class: "floor" }, row));
    for (const row of own) {
      const place = x(row.value);
      const shape = row.run ? ["rect", { x: place, y: 4.5, width: 9, height: 9, transform: "translate(-4.5)", class: "own second" }] : ["circle", { cx: place, cy: 9, r: 5.5, class: "own" }];
      picture.append(mark(...shape, row));
    }
    return picture;
  }

  function mark(kind, attributes, row) {
    return drawing(kind, attributes, drawing("title", {}, describe(row)));
  }

  function describe(row) {
    const level = row.level === null ? "" : `, level ${row.level}`;
    return `${row.predictor} ${row.value.toFixed(3)}${level}`;
  }

  function best(floors) {
    if (!floors.length) return "";
    const found = floors.reduce((one, other) => (other.value > one.value ? other : one));
    return `${wording(found.predictor)} ${found.value.toFixed(3)}`;
  }

  /** A metric's name in words. */
  function wording(name) {
    if (name.startsWith("clustered_")) return `clustered ${wording(name.slice("clustered_".length))}`;
    return name
      .replace(/^hlr_(iou|mof)$/, (_, measure) => `HLR ${measure === "iou" ? "IoU" : "MoF"}`)
      .replace(/^(t_full|t_reduced)_f1$/, "$1").replace(/^t_/, "T ").replace(/^l_f1$/, "L-measure").replace(/^l_/, "L ")
      .replace(/^gebd_/, "GEBD_").replace(/^edit$/, "Edit").replace(/^boundary_(precision|recall)@/, "$1@")
      .replace(/^boundary_distance_s$/, "distance from annotated, s").replace(/^boundary_distance_back_s$/, "distance from predicted, s")
      .replace(/_f1\b/, " F1").replace(/_iou$/, " IoU").replace(/@(\d+(?:\.\d+)?)(s?)$/, (_, at, unit) => ` @ ${at}${unit && " s"}`)
      .replaceAll("_", " ");
  }

  return { plots, wording };
})();
