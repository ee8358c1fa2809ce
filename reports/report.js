// The page is complete without this script: it only adds sorting and filtering to the long table.
(() => {
  "use strict";
  const table = document.querySelector("#grants, #agents");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const order = new Intl.Collator("en", { numeric: true });

  const sort = (head, column) => {
    const number = head.classList.contains("n");
    const before = head.getAttribute("aria-sort");
    // Numbers start with the largest: the busiest grant is what one looks for.
    const down = before ? before === "ascending" : number;
    const sign = down ? -1 : 1;
    const keyed = rows.map((row, index) => {
      const text = (row.cells[column]?.textContent ?? "").trim();
      return { row, index, text: number ? text.replaceAll(",", "") : text };
    });
    keyed.sort((a, b) => {
      if (!a.text !== !b.text) return a.text ? -1 : 1; // empty cells last, both ways
      return sign * order.compare(a.text, b.text) || a.index - b.index;
    });
    body.append(...keyed.map((entry) => entry.row));
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
  };

  heads.forEach((head, column) => {
    if (head.classList.contains("plain")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(head, column));
    head.append(button);
  });
  table.classList.add("live");

  const tools = document.getElementById("tools");
  const [text, status] = tools.querySelectorAll("input, select");
  const shown = tools.querySelector("output");
  const words = rows.map((row) => row.textContent.toLowerCase());
  const filter = () => {
    const wanted = text.value.toLowerCase().split(/\s+/);
    let count = 0;
    rows.forEach((row, index) => {
      const fits = (!status.value || row.classList.contains(status.value)) &&
        wanted.every((word) => words[index].includes(word));
      row.hidden = !fits;
      count += fits;
    });
    shown.value = `${count.toLocaleString("en")} of ${rows.length.toLocaleString("en")} shown`;
  };
  text.addEventListener("input", filter);
  status.addEventListener("input", filter);
  tools.hidden = false;
  filter();
})();
