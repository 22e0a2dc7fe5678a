// Shows what contains all words of the search, instead of the page.
const box = document.getElementById("search");
const list = document.getElementById("found");
const page = document.getElementById("page");
const MOST = 200;
const plain = (text) => text.normalize("NFKC").toLowerCase();
const texts = FOUND.map(([, words]) => plain(words));

box.addEventListener("input", () => {
  const wanted = plain(box.value).split(/\s+/).filter(Boolean);
  page.hidden = wanted.length > 0;
  list.replaceChildren();
  if (!wanted.length) return;
  const hits = FOUND.filter((_, number) => wanted.every((word) => texts[number].includes(word)));
  for (const [what, words, where] of hits.slice(0, MOST)) {
    const line = document.createElement("li");
    const kind = document.createElement("span");
    kind.className = "what";
    kind.textContent = what;
    const link = document.createElement("a");
    link.href = where;
    link.textContent = words;
    link.addEventListener("click", () => { box.value = ""; page.hidden = false; list.replaceChildren(); });
    line.append(kind, link);
    list.append(line);
  }
  if (!hits.length || hits.length > MOST) {
    const line = document.createElement("li");
    line.textContent = hits.length ? `ほか${hits.length - MOST}件` : "見つかりません";
    list.append(line);
  }
});
