//! The HTML report in a headless browser: pictures, links, scripts, filters, folds and contrast, in light and dark, wide and narrow.
//!
//! The browser is `$CHROME`, or a chromium on the path. Where there is none the test says SKIPPED and passes; with
//! `ELBOW_NEED_BROWSER=1` it fails.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use elbow_tests::elbow;
use serde_json::{Value, json};

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

/// Claims of four suites, with a plot, tables and prose.
const CLAIMS: [&str; 5] = ["cosine-grid", "tools-kid", "theorem-1", "worked-example", "golden"];
/// Put before anything else that the page does.
const LISTEN: &str = r#"<head><script>
const errors = [];
addEventListener("error", event => errors.push(event.message || event.target.outerHTML), true);
addEventListener("unhandledrejection", event => errors.push(String(event.reason)));
</script>"#;
/// Put after everything: looks at what the page is made of, or uses it.
const LOOK: &str = include_str!("report_in_browser.js");
const USE: &str = include_str!("report_in_use.js");
/// The page around it: windows have a least width, frames have none.
const FRAME: &str = r#"<!doctype html><meta name="color-scheme" content="light dark"><body style="margin:0">
<iframe src="page.html" style="border:0;width:WIDTHpx;height:700px"></iframe><script>
addEventListener("message", ({ data }) => {
  const pre = document.createElement("pre");
  pre.id = "verdict";
  // No sign that the page's own source would write in another way.
  pre.textContent = data.replace(/[<>&\u00a0]/g, sign => "\\u00" + sign.charCodeAt(0).toString(16));
  document.body.append(pre);
});
</script></body>"#;

/// The browser, `$CHROME` or one on the path.
fn browser() -> Option<PathBuf> {
    let chosen = std::env::var_os("CHROME").map(PathBuf::from);
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let mut known = std::env::split_paths(&folders).flat_map(|folder| names.map(|name| folder.join(name)));
    let browser = chosen.or_else(|| known.find(|file| file.is_file()));
    let needed = std::env::var("ELBOW_NEED_BROWSER").is_ok_and(|value| value == "1");
    assert!(browser.is_some() || !needed, "no browser: install chromium, or name one with CHROME");
    browser
}

/// What the browser found on a page.
struct Seen {
    verdict: Value,
    /// What it printed on its console.
    console: Vec<String>,
}

impl Seen {
    /// The length of a list, or a number.
    fn count(&self, what: &str) -> usize {
        let found = &self.verdict[what];
        found
            .as_array()
            .map(Vec::len)
            .or(found.as_u64().map(|n| n as usize))
            .unwrap_or_else(|| panic!("{what}: {found}"))
    }
}

/// Starts of a browser that ends without having run the page, as it does at times on a busy machine.
const TRIES: usize = 3;

/// Opens a copy of a page with a script that looks at it.
fn open(browser: &Path, folder: &Path, page: &str, script: &str, dark: bool, width: u32) -> Seen {
    assert_eq!((page.matches("<head>").count(), page.matches("</body>").count()), (1, 1));
    let page = page.replace("<head>", LISTEN).replace("</body>", &format!("<script>\n{script}</script>\n</body>"));
    fs::write(folder.join("page.html"), page).expect("written");
    fs::write(folder.join("frame.html"), FRAME.replace("WIDTH", &width.to_string())).expect("written");
    (0..TRIES).find_map(|_| try_open(browser, folder, dark, width)).expect("a browser that runs the page")
}

fn try_open(browser: &Path, folder: &Path, dark: bool, width: u32) -> Option<Seen> {
    let [file, dom, log, profile] = ["frame.html", "dom.html", "log.txt", "profile"].map(|name| folder.join(name));
    let into = |path: &Path| Stdio::from(File::create(path).expect("a file"));
    let mut child = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--enable-logging=stderr", "--dump-dom"])
        // Time on the page runs as fast as it can; this much of it is more than the page needs.
        .arg("--virtual-time-budget=60000")
        .arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)))
        .arg(format!("--window-size={width},700"))
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{}", file.display()))
        .stdin(Stdio::null())
        .stdout(into(&dom))
        .stderr(into(&log))
        .spawn()
        .unwrap_or_else(|e| panic!("{}: {e}", browser.display()));
    let patience = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        if patience.elapsed() > Duration::from_secs(120) {
            child.kill().expect("SIGKILL");
            panic!("{} does not end", browser.display());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let read = |path: &Path| String::from_utf8_lossy(&fs::read(path).expect("written by the browser")).into_owned();
    let (dom, log) = (read(&dom), read(&log));
    let verdict = dom.rsplit_once("<pre id=\"verdict\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let Some((verdict, _)) = verdict else {
        eprintln!("no verdict: {log}");
        return None;
    };
    Some(Seen {
        verdict: serde_json::from_str(verdict).unwrap_or_else(|e| panic!("{e}: {verdict}")),
        console: log.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect(),
    })
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// The report of a few claims, one with a grid of images added to its figure: those that make images take minutes.
fn report(folder: &Path) -> String {
    let (out, drawn) = (folder.join("out"), folder.join("drawn"));
    elbow(ELBOW, &[&["eval"][..], &CLAIMS, &["--out", text(&out), "--json", "-q"]].concat()).json();
    let recorded = fs::read_to_string(out.join("results.jsonl")).expect("rows");
    let mut rows: Vec<Value> = recorded.lines().map(|row| serde_json::from_str(row).expect("a row")).collect();
    // A row that is edited has no checksum that fits.
    rows.iter_mut().for_each(|row| row["checksum"] = Value::Null);
    let row = rows.iter_mut().find(|row| row["claim"]["id"] == CLAIMS[0]).expect("a row");
    row["figures"][0]["panels"].as_array_mut().expect("panels").push(json!({
        "kind": "images", "title": "Images", "width": 2, "height": 2, "channels": 3, "columns": 2,
        "images": [vec![0; 12], vec![120; 12], vec![240; 12]],
    }));
    let path = folder.join("rows.jsonl");
    fs::write(&path, rows.iter().map(|row| format!("{row}\n")).collect::<String>()).expect("written");
    let rendered = elbow(ELBOW, &["report", "--rows", text(&path), "--out", text(&drawn), "--json", "-q"]);
    fs::read_to_string(rendered.json()["html"].as_str().expect("a path")).expect("the page")
}

fn skipped() {
    eprintln!(
        "SKIPPED: no browser. Install chromium, or name one with CHROME; ELBOW_NEED_BROWSER=1 makes this a failure"
    );
}

#[test]
fn the_page_is_whole_in_a_browser() {
    let Some(browser) = browser() else { return skipped() };
    let folder = tempfile::tempdir().expect("a folder");
    let page = report(folder.path());
    let mut backgrounds = Vec::new();
    for (dark, width) in [(false, 1200), (true, 1200), (false, 500), (true, 500)] {
        let seen = open(&browser, folder.path(), &page, LOOK, dark, width);
        for list in ["errors", "broken", "dangling", "unmoved", "outside"] {
            assert_eq!(seen.count(list), 0, "dark {dark}, width {width}: {}", seen.verdict);
        }
        assert_eq!(seen.console, [""; 0], "dark {dark}, width {width}");
        // Not for want of anything to look at: every claim has a link, and so has every suite.
        assert!(seen.count("links") >= CLAIMS.len() + 4, "{}", seen.verdict);
        assert!(seen.count("images") >= 1 && seen.count("plots") >= 1 && seen.count("tables") >= 2, "{}", seen.verdict);
        assert_eq!(seen.verdict["overflow"], false, "dark {dark}, width {width}: the page must not scroll sideways");
        assert_eq!(seen.verdict["dark"], dark);
        let [background, text] = [0, 1].map(|i| seen.verdict["colours"][i].as_str().expect("a colour").to_owned());
        assert_ne!(background, text);
        backgrounds.push(background);
    }
    assert_ne!(backgrounds[0], backgrounds[1], "light and dark");
    // Witness: every defect is seen.
    let broken = concat!(
        "<img src=\"data:image/png;base64,AAAA\"><a href=\"#nowhere\">nowhere</a>",
        "<a href=\"#verdicts\" onclick=\"return false\">nothing happens</a>",
        "<source src=\"https://example.invalid/picture.png\"><div style=\"width: 3000px\">wide</div>",
        "<script>undefined_name()</script></main>"
    );
    let seen = open(&browser, folder.path(), &page.replace("</main>", broken), LOOK, false, 1200);
    for list in ["broken", "dangling", "unmoved", "outside"] {
        assert_eq!(seen.count(list), 1, "{list}: {}", seen.verdict);
    }
    assert_eq!(seen.verdict["overflow"], true);
    assert!(seen.verdict["errors"].to_string().contains("undefined_name"), "{}", seen.verdict);
    assert!(seen.console.iter().any(|line| line.contains("undefined_name")), "{:?}", seen.console);
}

/// The newest recorded report, with all claims.
fn recorded() -> String {
    let entries = fs::read_dir(elbow_tests::root().join("reports/record")).expect("reports/record");
    let newest = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()).max();
    fs::read_to_string(newest.expect("a record").join("report/index.html")).expect("a page")
}

#[test]
fn the_page_can_be_filtered_sorted_folded_and_read() {
    let Some(browser) = browser() else { return skipped() };
    let folder = tempfile::tempdir().expect("a folder");
    let page = recorded();
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    for width in [400, 800, 1200, 1600] {
        for dark in [false, true] {
            let seen = open(&browser, folder.path(), &page, USE, dark, width);
            let context = format!("dark {dark}, width {width}");
            for list in ["wrong", "errors"] {
                assert_eq!(seen.count(list), 0, "{context}: {}", seen.verdict);
            }
            assert_eq!(seen.console, [""; 0], "{context}");
            assert_eq!((seen.count("width"), &seen.verdict["dark"]), (width as usize, &Value::Bool(dark)), "{context}");
            // Not for want of anything to look at.
            assert!(seen.count("claims") > 100 && seen.count("tried") > 15 && seen.count("texts") > 1000, "{context}");
        }
    }
    // Witnesses: a filter that keeps the wrong claims, a pale colour, a fold that does not open.
    for (from, to, found) in [
        ("claim.hidden = !(", "claim.hidden = (", "verdict = "),
        ("--muted: #5a6571", "--muted: #b0b8c0", "contrast "),
        ("account.open = true", "account.open = false", "does not open its account"),
        ("width: 100%; margin-bottom: 1.5rem", "width: 3000px; margin-bottom: 1.5rem", " wide in "),
    ] {
        assert!(page.contains(from), "{from}");
        let seen = open(&browser, folder.path(), &page.replace(from, to), USE, false, 1200);
        assert!(seen.verdict["wrong"].to_string().contains(found), "{to}: {}", seen.verdict);
    }
}
