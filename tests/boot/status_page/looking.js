// Functions that a test calls in the page. Each returns what is wrong, or what is seen.
const isSeen = (it) => it.checkVisibility() && it.getClientRects().length > 0;
const box = (it) => it.getBoundingClientRect();
const name = (it) => (it.id || it.getAttribute("class") || it.tagName) + " " + it.textContent.trim().slice(0, 40);

// The visible text, a line for each block, after the section's place in columns of 1/14 of 1400 px.
function seen() {
  const lines = [];
  const add = (text) => { if ((text = text.replace(/\s+/g, " ").trim())) lines.push("  " + text); };
  const walk = (it) => {
    if (it.nodeType !== 1 || !isSeen(it) || it.matches(".unseen, .skip, title, desc")) return;
    const words = [...it.children].filter((child) => isSeen(child)).map((child) => child.textContent);
    if (it.matches("tr, dl > div, li, summary")) add(text(it));
    else if (it.matches("a") && it.namespaceURI.endsWith("svg")) add(text(it));
    else if (it.matches("g.table")) add([...it.querySelectorAll("text")].map((part) => part.textContent).join(" "));
    else if (it.matches("h1, h2, h3, p, pre, nav, text, header > *")) add(text(it));
    else for (const child of it.children) walk(child);
  };
  const text = (it) => {
    if (it.nodeType === 3) return it.data;
    if (it.nodeType !== 1 || !isSeen(it) || it.matches(".unseen, title, desc")) return "";
    const parts = [...it.childNodes].map(text);
    return parts.join(it.matches("tr, dl > div, li, nav, th, td, a, g") ? " " : "");
  };
  for (const it of document.querySelectorAll("body > header, main section")) {
    const { left, width } = box(it);
    lines.push(`${it.className || "header"} ${Math.round(left / 100)}+${Math.round(width / 100)}`);
    for (const child of it.children) walk(child);
  }
  return lines.join("\n") + "\n";
}

// Parts that are wider than their place, and so are cut or make the page scroll to the side.
function overflowing() {
  const found = document.documentElement.scrollWidth > innerWidth ? ["the page"] : [];
  for (const it of document.querySelectorAll("body *"))
    if (isSeen(it) && !it.closest(".scroll, pre, .unseen, .skip, thead, svg") && it.scrollWidth > it.clientWidth + 1 && it.clientWidth) found.push(name(it));
  return found;
}

const meet = (a, b) => a.left < b.right - 0.5 && b.left < a.right - 0.5 && a.top < b.bottom - 0.5 && b.top < a.bottom - 0.5;
const pairs = (all) => all.flatMap((a, i) => all.slice(i + 1).map((b) => [a, b]));

// Sections, rows of the graph, and boxes of tables that lie upon each other; texts outside of theirs.
function colliding() {
  const found = [];
  for (const all of ["main section", ".graph a", ".er .table"].map((it) => [...document.querySelectorAll(it)]))
    for (const [a, b] of pairs(all)) if (meet(box(a), box(b))) found.push(`${name(a)} / ${name(b)}`);
  for (const group of document.querySelectorAll(".graph a, .er .table, .graph")) {
    const within = box(group.querySelector(":scope > .hit, :scope > .body") || group);
    const texts = [...group.querySelectorAll(":scope > text")];
    for (const it of texts) {
      const { left, right } = box(it);
      if (left < within.left || right > within.right) found.push(`${it.textContent} is outside`);
    }
    for (const [a, b] of pairs([...texts, ...group.querySelectorAll(":scope > .icon")]))
      if (meet(box(a), box(b))) found.push(`${a.textContent} / ${b.textContent}`);
  }
  return found;
}

const focusable = () => [...document.querySelectorAll("a[href], summary, [tabindex='0']")].filter(isSeen);

// The place of the focused part among all that can have the focus, and whether the focus is seen.
function focused() {
  const it = document.activeElement;
  const hit = it.querySelector(":scope > .hit");
  const isShown = hit ? getComputedStyle(hit).stroke !== "none" : getComputedStyle(it).outlineStyle !== "none";
  return [focusable().indexOf(it), isShown];
}
