"use strict";
// A page that is served: hears the news, and shows the next page when its reader is not in the middle of something.
(() => {
  const $ = (id) => document.getElementById(id);
  const line = $("live"), more = $("more");
  let shown = Number(document.documentElement.dataset.page);

  const reads = () => document.querySelector(".vector[open], .function[open]") || ["find", "suite", "outcome", "cell"].some((id) => $(id).value);
  const news = new EventSource("news");

  const show = (text) => {
    news.close();
    const { scrollX, scrollY } = window;
    document.open();
    document.write(text);
    document.close();
    window.scrollTo(scrollX, scrollY);
  };

  news.onmessage = async ({ data }) => {
    const { page, line: said, over } = JSON.parse(data);
    line.textContent = said;
    if (over) news.close();
    if (page <= shown) return;
    shown = page;
    const answer = await fetch(location.pathname, { cache: "no-store" }).catch(() => null);
    const text = await answer?.text();
    if (!answer?.ok) {
      line.textContent = text || "nothing serves this page any more";
    } else if (reads()) {
      more.hidden = false;
      more.onclick = () => show(text);
    } else {
      show(text);
    }
  };
  news.onerror = () => {
    line.textContent = "nothing serves this page any more; what is shown is its last state";
  };
})();
