// Show the page anew at each event, as long as something runs. What the reader has opened, focused
// and scrolled to stays. After a handover the stream begins again.
(() => {
  const PAUSE = 1000;
  const find = (selector) => document.querySelector(selector);
  const lost = find("#lost"), news = find("#news");
  let source, timer, later, quiet, last = 0;

  function name(it) {
    if (it.matches("summary")) return `${name(it.parentElement)} > summary`;
    const key = ["id", "href", "aria-label"].find((key) => it.hasAttribute(key));
    return key && `[${key}="${CSS.escape(it.getAttribute(key))}"]`;
  }

  async function renew() {
    timer = undefined;
    last = Date.now();
    const options = { headers: { Accept: "text/html" }, cache: "no-store" };
    show(await fetch(location.href, options).then((it) => it.text()).catch(() => ""));
    follow();
  }

  function show(text) {
    const next = new DOMParser().parseFromString(text, "text/html");
    if (!next.querySelector("#main")) return;
    const focused = document.activeElement.closest("header, main") && name(document.activeElement);
    const open = [...document.querySelectorAll("details[open]")].map((it) => it.id);
    const scrolled = [...document.querySelectorAll("[tabindex='0'][aria-label]")]
      .map((it) => [name(it), it.scrollLeft, it.scrollTop]);
    const [x, y] = [scrollX, scrollY];
    const before = find("h1").textContent;
    for (const part of ["header", "main"]) find(part).replaceWith(next.querySelector(part));
    document.title = next.title;
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    for (const [selector, left, top] of scrolled) find(selector)?.scrollTo(left, top);
    if (focused) find(focused)?.focus({ preventScroll: true });
    scrollTo(x, y);
    lost.hidden = true;
    quiet = clearTimeout(quiet);
    if (find("h1").textContent !== before) news.textContent = find("h1").textContent;
  }

  function soon() {
    timer ??= setTimeout(renew, Math.max(0, last + PAUSE - Date.now()));
  }

  function follow() {
    const events = find("main").dataset.events;
    clearTimeout(later);
    if (!events) return source?.close();
    later = setTimeout(soon, 5 * PAUSE); // The time that passes is no event.
    // The browser itself connects again, unless the answer was no stream.
    if (!source || source.readyState === EventSource.CLOSED) connect(events);
  }

  function connect(events) {
    source = new EventSource(events);
    source.onmessage = soon;
    source.onopen = () => {
      quiet = clearTimeout(quiet);
      if (!lost.hidden) soon();
    };
    source.onerror = () => {
      // A server ends each stream after a while: only one that does not come back is lost.
      quiet ??= setTimeout(() => { lost.hidden = false; }, 3 * PAUSE);
    };
  }

  follow();
})();
