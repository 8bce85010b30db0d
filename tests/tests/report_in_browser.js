// Opens every picture and follows every link of the page that it is put into, and sends what it found to the page around it.
addEventListener("load", async () => {
  const all = selector => [...document.querySelectorAll(selector)];
  const verdict = {
    errors, broken: [], dangling: [], unmoved: [], outside: [],
    images: 0, links: 0, plots: all("main svg").length, tables: all("main table").length,
  };

  for (const image of all("img, svg image")) {
    verdict.images++;
    const copy = new Image();
    copy.src = image.currentSrc || image.getAttribute("src") || image.getAttribute("href");
    const decoded = await copy.decode().then(() => copy.naturalWidth > 0, () => false);
    const shown = image.complete !== false && image.naturalWidth !== 0;
    if (!decoded || !shown) verdict.broken.push(image.outerHTML.slice(0, 80));
  }

  for (const link of all("a[href^='#']")) {
    verdict.links++;
    const hash = link.getAttribute("href");
    const target = document.getElementById(decodeURIComponent(hash.slice(1)));
    if (!target) {
      verdict.dangling.push(hash);
      continue;
    }
    // From the end of the page that is farther away, so that there is a way to go.
    const near = target.getBoundingClientRect().top + scrollY < document.body.scrollHeight / 2;
    scrollTo(0, near ? document.body.scrollHeight : 0);
    link.click();
    await new Promise(done => setTimeout(done, 20));
    const { top, height } = target.getBoundingClientRect();
    if (location.hash !== hash || height === 0 || top < 0 || top >= innerHeight) verdict.unmoved.push(hash);
  }

  // A link may lead elsewhere; what the page is made of may not come from there.
  const address = /(^|[\s,(])["']?(https?:)?\/\//i;
  for (const element of all("*")) {
    for (const { name, value } of element.attributes) {
      const loads = ["src", "srcset", "href", "xlink:href", "poster", "data", "action", "style"].includes(name);
      const outside = loads && element.localName !== "a" && address.test(value);
      if (outside) verdict.outside.push(`${element.localName} ${value}`);
    }
  }
  for (const { textContent } of all("style")) if (/@import|url\(/i.test(textContent)) verdict.outside.push("style");
  for (const { name } of performance.getEntriesByType("resource")) if (address.test(name)) verdict.outside.push(name);

  const style = getComputedStyle(document.body);
  verdict.colours = [style.backgroundColor, style.color];
  verdict.dark = matchMedia("(prefers-color-scheme: dark)").matches;
  verdict.overflow = document.documentElement.scrollWidth > document.documentElement.clientWidth;
  parent.postMessage(JSON.stringify(verdict), "*");
});
