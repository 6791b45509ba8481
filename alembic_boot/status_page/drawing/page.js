(() => {
  const PAUSE = 1000;
  const lost = document.getElementById("lost");
  let source, last = 0, timer, quiet;
  const main = () => document.querySelector("main");
  const key = (it) => it.id ? "#" + CSS.escape(it.id) : `[href="${CSS.escape(it.getAttribute("href") || "")}"]`;
  async function renew() {
    timer = undefined;
    last = Date.now();
    let answer;
    try { answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" }); }
    catch { return; }
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = next.querySelector("main");
    if (!fresh) return;
    const old = main(), focused = old.contains(document.activeElement) && key(document.activeElement);
    for (const it of fresh.querySelectorAll("details[id]")) {
      const before = document.getElementById(it.id);
      if (before) it.open = before.open;
    }
    const scrolled = [...old.querySelectorAll(".scroll, pre")].map((it) => [it.getAttribute("aria-label"), it.scrollLeft, it.scrollTop]);
    const [x, y] = [scrollX, scrollY];
    old.replaceWith(fresh);
    document.querySelector("header").replaceWith(next.querySelector("header"));
    document.title = next.title;
    for (const [label, left, top] of scrolled)
      if (label) fresh.querySelector(`[aria-label="${CSS.escape(label)}"]`)?.scrollTo(left, top);
    if (focused) fresh.querySelector(focused)?.focus({ preventScroll: true });
    scrollTo(x, y);
    lost.hidden = true;
    follow();
  }
  function soon() { timer ??= setTimeout(renew, Math.max(0, last + PAUSE - Date.now())); }
  function follow() {
    const events = main().dataset.events;
    if (!events) { source?.close(); source = undefined; return; }
    if (source && source.readyState !== EventSource.CLOSED) return;
    source = new EventSource(events);
    source.onmessage = soon;
    source.onopen = () => { quiet = clearTimeout(quiet); if (!lost.hidden) soon(); };
    // A server ends each stream after a while: only one that does not come back is lost.
    source.onerror = () => { quiet ??= setTimeout(() => { lost.hidden = false; }, 3 * PAUSE); if (source?.readyState === EventSource.CLOSED) setTimeout(() => { soon(); follow(); }, 2 * PAUSE); };
  }
  follow();
})();
