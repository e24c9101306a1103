// Sorting and filtering of tables, and cells drawn where they are named. No libraries, no network.

(() => {
  "use strict";

  const words = (item) => (item.dataset.words ??= item.textContent.toLowerCase());

  // Filters: a form with data-filters names what it filters; its fields are data-* of the items,
  // but for `text`, which is sought in all that an item says. The fragment of the address keeps them.
  const filter = (form) => {
    const place = document.querySelector(form.dataset.filters);
    const items = [...place.querySelectorAll("[data-item]")];
    const fields = [...form.elements].filter((field) => field.name);
    const count = form.querySelector("[data-count]");

    const apply = () => {
      let left = 0;
      for (const item of items) {
        item.hidden = !fields.every((field) => {
          const wanted = field.value.trim().toLowerCase();
          if (!wanted) return true;
          if (field.name === "text") return wanted.split(/\s+/).every((w) => words(item).includes(w));
          return (item.dataset[field.name] ?? "").toLowerCase() === wanted;
        });
        left += !item.hidden;
      }
      count.textContent = `${left} ${count.dataset.count}`;
    };

    const read = () => {
      const given = new URLSearchParams(location.hash.slice(1));
      for (const field of fields) if (given.has(field.name)) field.value = given.get(field.name);
      apply();
    };

    const write = () => {
      apply();
      const chosen = fields.filter((field) => field.value && field.value !== field.dataset.first);
      const query = new URLSearchParams(chosen.map((field) => [field.name, field.value]));
      history.replaceState(null, "", `${location.pathname}${location.search}#${query}`);
    };

    for (const field of fields) if (field.tagName === "SELECT") field.dataset.first = field.value;
    form.addEventListener("input", write);
    form.addEventListener("submit", (event) => event.preventDefault());
    addEventListener("hashchange", read);
    read();
  };

  // Sorting: a click on a heading, or Enter on it. What is missing stays last; equal rows stay as
  // they were.
  const sortable = (table) => {
    const body = table.tBodies[0];
    const headings = [...table.tHead.rows[0].cells];
    const key = (row, at) => {
      const cell = row.cells[at];
      const text = cell.dataset.key ?? cell.textContent.trim();
      return text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
    };

    const sort = (at, up) => {
      const order = (a, b) => {
        if (a === "" || b === "") return (a === "") - (b === "");
        const [one, other] = up ? [a, b] : [b, a];
        if (typeof one === "number" && typeof other === "number") return one - other;
        return String(one).localeCompare(String(other), "en", { numeric: true });
      };
      const rows = [...body.rows].map((row) => [key(row, at), row]);
      rows.sort((a, b) => order(a[0], b[0]));
      body.append(...rows.map(([, row]) => row));
      headings.forEach((heading, i) =>
        i === at ? heading.setAttribute("aria-sort", up ? "ascending" : "descending")
          : heading.removeAttribute("aria-sort"));
    };

    headings.forEach((heading, at) => {
      heading.tabIndex = 0;
      const turn = () => sort(at, heading.getAttribute("aria-sort") !== "ascending");
      heading.addEventListener("click", turn);
      heading.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        turn();
      });
    });
    if (table.dataset.sort) sort(Number(table.dataset.sort), true);
  };

  // Cells: the picture beside the name while it is pointed at, has the focus, or was tapped.
  const box = document.createElement("div");
  box.className = "cell-box";
  box.setAttribute("role", "tooltip");
  box.hidden = true;
  let shown = null;

  const show = (name) => {
    shown = name;
    const picture = Object.assign(new Image(), { alt: name.dataset.text, src: name.dataset.picture });
    const text = Object.assign(document.createElement("code"), { textContent: name.dataset.text });
    picture.className = "figure";
    picture.addEventListener("load", put);
    box.replaceChildren(picture, text);
    box.hidden = false;
    put();
  };

  const put = () => {
    if (box.hidden) return;
    const at = shown.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = box;
    const left = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - width - 8));
    const below = at.bottom + 8 + height < innerHeight;
    box.style.left = `${left}px`;
    box.style.top = `${below ? at.bottom + 8 : Math.max(8, at.top - 8 - height)}px`;
  };

  const hide = () => {
    box.hidden = true;
  };

  const start = () => {
    document.body.append(box);
    document.querySelectorAll("form[data-filters]").forEach(filter);
    document.querySelectorAll("table.sortable").forEach(sortable);
    for (const name of document.querySelectorAll("[data-picture]")) {
      for (const event of ["mouseenter", "focus", "click"]) name.addEventListener(event, () => show(name));
      for (const event of ["mouseleave", "blur"]) name.addEventListener(event, hide);
    }
    addEventListener("scroll", put, { passive: true });
    addEventListener("keydown", (event) => event.key === "Escape" && hide());
    const target = location.hash.includes("=") ? null : document.getElementById(location.hash.slice(1));
    target?.scrollIntoView();
  };

  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
