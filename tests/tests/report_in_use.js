// Uses the page that it is put into: filters, sorts, folds, follows links, measures contrast. Sends what is wrong to the page around it.
addEventListener("load", async () => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const wait = () => new Promise(done => setTimeout(done, 30));
  const wrong = [];
  const expect = (holds, what) => holds || wrong.push(what);
  const form = document.querySelector("form.filters");
  const claims = all("tbody.claim");
  const suites = all("details.suite");
  const shown = () => claims.filter(claim => claim.checkVisibility());
  const choose = (name, value) => {
    form.elements[name].value = value;
    form.elements[name].dispatchEvent(new Event("input", { bubbles: true }));
  };
  const reset = async () => {
    form.querySelector("[type=reset]").click();
    await wait();
  };

  // Folds: closed at first, opened by the button and by a link.
  expect(form.checkVisibility(), "the filter is hidden");
  expect(suites.every(suite => !suite.open) && shown().length === 0, "a suite is open at first");
  form.querySelector(".unfold").click();
  expect(shown().length === claims.length, "unfolding leaves claims hidden");
  form.querySelector(".unfold").click();
  expect(shown().length === 0, "folding leaves claims");

  // Filters: what is shown is what has the property, all of it.
  const filtered = (name, value, has) => {
    choose(name, value);
    for (const claim of claims) expect(claim.checkVisibility() === has(claim), `${name} = ${value}: ${claim.id}`);
    const said = form.querySelector(".found-count").textContent;
    expect(said.startsWith(`${claims.filter(has).length} of ${claims.length} `), `${name} = ${value}: ${said}`);
  };
  const options = name => all(`[name=${name}] option`).map(option => option.value).filter(Boolean);
  let tried = 0;
  for (const value of options("verdict")) {
    filtered("verdict", value, claim => claim.querySelector(`td .chip.${value}`) !== null);
    tried++;
  }
  await reset();
  for (const value of options("suite")) {
    filtered("suite", value, claim => claim.closest("details.suite").dataset.suite === value);
    tried++;
  }
  await reset();
  for (const value of options("document")) {
    const named = claim => claim.querySelector("th small").textContent.toLowerCase().includes(value.toLowerCase());
    filtered("document", value, named);
    tried++;
  }
  await reset();
  for (const word of ["theorem", "no such words anywhere"]) {
    filtered("text", word, claim => claim.textContent.toLowerCase().includes(word));
    tried++;
  }
  await reset();
  expect(shown().length === 0 && suites.every(suite => !suite.hidden), "a reset filter leaves traces");

  // Order: every suite by the column, and back.
  form.querySelector(".unfold").click();
  const order = () => all("tbody.claim").map(claim => claim.id).join();
  const before = order();
  const head = document.querySelector("th[data-sort=rank] button");
  const ranks = suite => all("tbody.claim", suite).map(claim => Number(claim.dataset.rank));
  const ascends = numbers => numbers.every((number, i) => i === 0 || numbers[i - 1] <= number);
  head.click();
  expect(suites.every(suite => ascends(ranks(suite))), "not in ascending order");
  expect(head.parentElement.getAttribute("aria-sort") === "ascending", "no aria-sort");
  head.click();
  expect(suites.every(suite => ascends(ranks(suite).reverse())), "not in descending order");
  expect(head.parentElement.getAttribute("aria-sort") === "descending", "no aria-sort for descending");
  head.click();
  expect(order() === before, "the third press does not restore the order");
  form.querySelector(".unfold").click();

  // Links: to a claim in a closed suite, and to one that the filter hides.
  for (const claim of [claims[0], claims.at(-1)]) {
    choose("text", "no such words anywhere");
    location.hash = "#" + claim.id;
    await wait();
    const account = claim.querySelector(".account details");
    expect(account.open && account.checkVisibility(), `#${claim.id} does not open its account`);
    const { top } = claim.getBoundingClientRect();
    expect(top >= 0 && top < innerHeight, `#${claim.id} is not in sight`);
  }
  for (const value of options("about")) {
    filtered("about", value, claim => claim.dataset.about === value);
    tried++;
  }
  await reset();
  const chip = document.querySelector(".counts a");
  chip.click();
  await wait();
  expect(form.elements.verdict.value === chip.dataset.verdict, "a count does not filter");
  const counted = Number(chip.querySelector("b").textContent);
  expect(claims.filter(claim => !claim.hidden).length === counted, "a count is not what it leads to");
  await reset();

  // Names for those who cannot see.
  for (const control of all("button, a[href], summary, select, input")) {
    const name = control.labels?.[0]?.textContent || control.textContent || control.getAttribute("aria-label");
    expect(name?.trim(), `no name: ${control.outerHTML.slice(0, 80)}`);
  }
  for (const picture of all("img, svg")) {
    expect(picture.alt || picture.getAttribute("aria-label"), `no words for ${picture.outerHTML.slice(0, 80)}`);
  }
  const ids = all("[id]").map(element => element.id);
  expect(new Set(ids).size === ids.length, "an id occurs twice");
  const levels = all("h1, h2, h3, h4").map(heading => Number(heading.localName[1]));
  expect(levels.every((level, i) => i === 0 || level <= levels[i - 1] + 1), "a level of headings is left out");

  // Contrast of every text, with all folds open: 4.5, and 3 for large letters (WCAG 2.1, AA).
  for (const fold of all("details")) fold.open = true;
  const channel = byte => (byte / 255 <= 0.04045 ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4);
  const numbers = colour => colour.match(/[\d.]+/g).map(Number);
  const light = colour => {
    const [red, green, blue] = numbers(colour).map(channel);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const isClear = colour => numbers(colour)[3] === 0;
  const ground = element => {
    const colour = getComputedStyle(element).backgroundColor;
    return isClear(colour) && element.parentElement ? ground(element.parentElement) : colour;
  };
  let texts = 0;
  for (const element of all("body *")) {
    const words = [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
    if (!words || ["SCRIPT", "STYLE", "OPTION"].includes(element.tagName) || !element.checkVisibility()) continue;
    texts++;
    const style = getComputedStyle(element);
    const colour = element instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [light(colour), light(ground(element))].sort((a, b) => b - a);
    const contrast = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (contrast < (large ? 3 : 4.5)) wrong.push(`contrast ${contrast.toFixed(2)}: ${element.outerHTML.slice(0, 80)}`);
  }
  const root = document.documentElement;
  expect(root.scrollWidth <= root.clientWidth, `the page is ${root.scrollWidth} wide in ${root.clientWidth}`);
  const verdict = {
    wrong: wrong.slice(0, 20), errors, claims: claims.length, tried, texts, width: innerWidth,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
  };
  parent.postMessage(JSON.stringify(verdict), "*");
});
