// A click on a column's name sorts the table by it, a second one the other way round; what was not computed stays last.
"use strict";
for (const [column, head] of document.querySelectorAll("#hearts thead th").entries()) {
  head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = document.querySelector("#hearts tbody");
    const value = (row) => row.children[column].dataset.value;
    const compare = (a, b) => {
      if (value(a) === "" || value(b) === "") return (value(a) === "") - (value(b) === "");
      const order = column === 0 ? value(a).localeCompare(value(b), undefined, { numeric: true }) : value(a) - value(b);
      return down ? -order : order;
    };
    body.append(...[...body.children].sort(compare));
  });
}
document.body.dataset.state = "ready";
