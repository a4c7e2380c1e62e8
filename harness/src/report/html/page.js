"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const form = $("filter"), find = $("find"), suite = $("suite"), outcome = $("outcome"), cell = $("cell"), count = $("count");
  const cells = [...cell.options].slice(1).map((option) => option.value);
  const words = { p: "passed", f: "failed", v: "violated", i: "inconclusive", l: "lost", s: "survived", g: "no-golden", n: "not-run", "-": "" };
  const vectors = [...document.querySelectorAll(".vector")].map((element) => ({
    element,
    id: element.id,
    suite: element.id.split("/")[0],
    came: [...element.dataset.cells].map((letter) => words[letter]),
    msg: element.dataset.msg.split(" "),
    attr: element.dataset.attr.split(" "),
    errno: element.dataset.errno.split(" "),
    text: null,
  }));

  // What a word of the search asks of a vector. Words with a key ask one thing, others the whole text.
  const asks = (word, vector) => {
    const [, key, value] = /^(suite|msg|attr|errno|is|cell):(.+)$/.exec(word) || [];
    switch (key) {
      case "suite": return vector.suite === value;
      case "msg": case "attr": return vector[key].includes(value);
      case "errno": return vector.errno.includes(value.toUpperCase());
      case "is": return vector.came.includes(value);
      case "cell": return vector.came.some((came, place) => came && cells[place].includes(value));
      default:
        vector.text ??= vector.element.textContent.toLowerCase();
        return vector.text.includes(word.toLowerCase());
    }
  };

  // An outcome and a cell together ask what the vector came to in that cell.
  const chosen = (vector) => {
    if (suite.value && vector.suite !== suite.value) return false;
    const places = cell.value ? [cells.indexOf(cell.value)] : vector.came.keys();
    return [...places].some((place) => outcome.value ? vector.came[place] === outcome.value : !cell.value || vector.came[place]);
  };

  const apply = () => {
    const asked = find.value.trim().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const vector of vectors) {
      const fits = chosen(vector) && asked.every((word) => asks(word, vector));
      vector.element.hidden = !fits;
      shown += fits;
    }
    count.value = `${shown} of ${vectors.length}`;
  };

  const complete = () => {
    const list = new Set();
    for (const vector of vectors) {
      for (const key of ["msg", "attr", "errno"]) vector[key].forEach((word) => word && list.add(`${key}:${word}`));
    }
    for (const word of [...list].sort()) $("words").append(new Option(word, word));
  };

  // #link/create-lo, and #link/create-lo@freebsd/15.1-RELEASE/rust.
  const go = () => {
    const name = decodeURIComponent(location.hash.slice(1));
    if (!name) return;
    const [id, of] = name.split("@");
    const place = $(name) || $(id);
    if (!place) return;
    const box = $(id) || place;
    box.hidden = false;
    if (box.tagName === "DETAILS") box.open = true;
    document.querySelectorAll("[data-marked]").forEach((old) => old.removeAttribute("data-marked"));
    place.setAttribute("data-marked", of || "");
    place.scrollIntoView({ block: "start" });
  };

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", apply);
  window.addEventListener("hashchange", go);
  for (const square of document.querySelectorAll("[data-filter]")) {
    square.addEventListener("click", () => {
      const [wanted, where] = square.dataset.filter.split(" ");
      suite.value = wanted.slice(6);
      cell.value = where.slice(5);
      outcome.value = "";
      find.value = "";
      apply();
      $("vectors").scrollIntoView();
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|SELECT)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      find.focus();
    } else if (event.key === "Escape" && document.activeElement === find) {
      find.value = "";
      apply();
    }
  });
  const theme = $("theme");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  window.addEventListener("beforeprint", () => vectors.forEach(({ element }) => { if (!element.hidden) element.open = true; }));
  complete();
  apply();
  go();
})();
