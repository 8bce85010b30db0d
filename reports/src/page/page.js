// The filter and the order of the verdicts, and links that open what they lead to. The page can be read without.
{
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const suites = all("details.suite");
  const claims = all("tbody.claim");
  const form = document.querySelector("form.filters");
  document.documentElement.classList.add("js");

  // Opens every fold around the target of a link, and the account of a claim.
  const reveal = hash => {
    const target = hash.length > 1 && document.getElementById(decodeURIComponent(hash.slice(1)));
    if (!target) return;
    if (target.closest("tbody.claim")?.hidden) choose("", "");
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    const account = target.matches("tbody.claim") && target.querySelector(".account details");
    if (account) account.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", () => reveal(location.hash));
  addEventListener("click", event => {
    const link = event.target.closest?.("a[href^='#']");
    if (!link || event.defaultPrevented) return;
    if (link.dataset.verdict) choose(link.dataset.verdict, link.dataset.about);
    const hash = link.getAttribute("href");
    const account = link.closest("tbody.claim > tr:first-child")?.nextElementSibling.querySelector("details");
    if (account?.open) account.open = false;
    else if (account) account.open = true;
    // A second click on one link changes no address.
    else if (hash === location.hash) reveal(hash);
  });

  const words = new Map(claims.map(claim => [claim, claim.textContent.toLowerCase()]));
  let folds = null;
  const filter = () => {
    const { text, suite, verdict, about, document: source } = form;
    const wanted = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const active = wanted.length > 0 || [suite, verdict, about, source].some(choice => choice?.value);
    // What was open before the filter is open again after it.
    if (active) folds ??= suites.filter(fold => fold.open);
    let shown = 0;
    for (const claim of claims) {
      const named = claim.querySelector("th small").textContent.toLowerCase();
      claim.hidden = !(
        wanted.every(word => words.get(claim).includes(word)) &&
        (!suite.value || claim.closest("details.suite").dataset.suite === suite.value) &&
        (!about?.value || claim.dataset.about === about.value) &&
        (!verdict.value || claim.dataset.verdict === verdict.value) &&
        (!source?.value || named.includes(source.value.toLowerCase()))
      );
      if (!claim.hidden) shown++;
    }
    for (const fold of suites) {
      fold.hidden = !fold.querySelector("tbody.claim:not([hidden])");
      if (active) fold.open = !fold.hidden;
      else if (folds) fold.open = folds.includes(fold);
    }
    if (!active) folds = null;
    const total = claims.length;
    form.querySelector(".found-count").textContent = active ? `${shown} of ${total} ${total === 1 ? "claim" : "claims"}` : "";
  };

  // Claims of one verdict about one thing, or all.
  const choose = (verdict, about) => {
    form.reset();
    form.verdict.value = verdict;
    if (form.about) form.about.value = about;
    filter();
  };

  // Each press: ascending, descending, as it was.
  const places = new Map(claims.map((claim, place) => [claim, place]));
  let order = { key: "", down: false };
  const number = claim => (claim.dataset.number === "" ? Infinity : Number(claim.dataset.number));
  const by = {
    title: (a, b) => a.dataset.title.localeCompare(b.dataset.title),
    quantity: (a, b) => a.dataset.quantity.localeCompare(b.dataset.quantity),
    number: (a, b) => (number(a) === number(b) ? 0 : number(a) - number(b)),
    rank: (a, b) => a.dataset.rank - b.dataset.rank,
  };
  const sort = key => {
    if (order.key !== key) order = { key, down: false };
    else if (order.down) order = { key: "", down: false };
    else order.down = true;
    const ranked = [...claims].sort((a, b) => {
      const compared = order.key ? by[order.key](a, b) : 0;
      return (order.down ? -compared : compared) || places.get(a) - places.get(b);
    });
    for (const claim of ranked) claim.parentElement.append(claim);
    for (const head of all("th[data-sort]")) {
      const sorted = head.dataset.sort === order.key;
      if (sorted) head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  };
  for (const head of all("th[data-sort]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sort(head.dataset.sort));
    head.replaceChildren(button);
  }

  if (form) {
    form.hidden = false;
    form.addEventListener("input", filter);
    form.addEventListener("submit", event => event.preventDefault());
    // The fields are empty only after the event.
    form.addEventListener("reset", () => queueMicrotask(filter));
    const unfold = form.querySelector(".unfold");
    unfold.addEventListener("click", () => {
      const open = unfold.getAttribute("aria-expanded") === "false";
      unfold.setAttribute("aria-expanded", open);
      unfold.textContent = open ? "Fold the suites" : "Unfold the suites";
      for (const fold of suites) fold.open = open;
    });
    filter();
  }
  reveal(location.hash);
}
