//! Claims of a user's own: the example repository in an empty folder, and what is refused.

use std::path::{Path, PathBuf};
use std::process::Command;

use elbow_tests::files::{contents, read};
use elbow_tests::json_schema::misfit;
use elbow_tests::root;
use serde_json::{Value, json};

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

/// Each claim of the example with a part of its text and another one, with which it is refuted.
const CHANGES: [(&str, &str, &str); 6] = [
    ("toy-cascade", "value = -1.3306", "value = -1.3336"),
    ("law-of-sampler", "value = 1.0", "value = 9.0"),
    ("program-losses", "value = 0.0 ", "value = 0.001 "),
    ("model-bound", "value = 1.05", "value = 0.5"),
    ("paired-comparison", "value = 0.0 ", "value = -0.5 "),
    ("image-distance", "value = 0.2", "value = -0.5"),
];

/// A copy of the example repository.
fn example() -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    for (place, bytes) in contents(&root().join("examples/claims-repository")) {
        write(copy.path(), place.to_str().expect("UTF-8"), bytes);
    }
    copy
}

fn write(folder: &Path, file: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(file);
    std::fs::create_dir_all(path.parent().expect("in a folder")).expect("a folder");
    std::fs::write(path, bytes).expect("written");
}

fn text(path: &Path) -> String {
    String::from_utf8(read(path)).expect("UTF-8")
}

/// Replaces a part of a file.
fn change(path: &Path, from: &str, to: &str) {
    let text = text(path);
    assert!(text.contains(from), "{}: {from}", path.display());
    std::fs::write(path, text.replacen(from, to, 1)).expect("written");
}

/// A program in a folder, for a user whose data are elsewhere.
fn command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env_remove("ELBOW_DATA").env("XDG_DATA_HOME", folder.join("data"));
    command
}

/// Exit code, stdout and stderr of elbow in a folder.
fn run(folder: &Path, arguments: &str) -> (i32, String, String) {
    let output = command(ELBOW, folder).args(arguments.split_whitespace()).output().expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// The JSON of a call that ends with this code.
fn json_of(folder: &Path, arguments: &str, expected: i32) -> Value {
    let (code, stdout, stderr) = run(folder, &format!("{arguments} --json --quiet"));
    assert_eq!(code, expected, "{arguments}: {stdout}{stderr}");
    serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{e}: {stdout}"))
}

fn verdict<'a>(result: &'a Value, id: &str) -> &'a str {
    let claims = result["claims"].as_array().expect("claims");
    claims.iter().find(|claim| claim["id"] == id).expect("a claim of this id")["verdict"].as_str().expect("a verdict")
}

#[test]
fn the_example_is_green_and_each_claim_red_when_its_number_is_changed() {
    let copy = example();
    let folder = copy.path();
    let first = json_of(folder, "eval --claims claims", 0);
    assert_eq!((first["verified"].as_u64(), first["reused"].as_u64()), (Some(6), Some(0)), "{first}");
    assert_eq!(
        first["about"],
        json!({ "own": { "verified": 6, "consistent": 0, "refuted": 0, "not_run": 0, "blocked": 0, "error": 0 } })
    );
    for (id, from, to) in CHANGES {
        let file = folder.join(format!("claims/{id}.toml"));
        change(&file, from, to);
        let result = json_of(folder, "eval --claims claims", 1);
        assert_eq!((verdict(&result, id), result["refuted"].as_u64()), ("refuted", Some(1)), "{id}: {result}");
        assert_eq!(result["reused"], 5, "{id}: what is unchanged is not run again");
        change(&file, to, from);
        json_of(folder, &format!("eval --claims claims {id}"), 0);
    }
    // Names select within the folder; nothing of the bundled claims runs.
    let one = json_of(folder, "eval --claims claims toy-cascade", 0);
    assert_eq!(one["claims"].as_array().expect("claims").len(), 1);
    let (code, _, stderr) = run(folder, "eval --claims claims theorem-1");
    assert!(code == 2 && stderr.contains("no suite and no claim is called"), "{stderr}");
    // The report is one of these claims alone, with their suite and titles.
    let page = text(&folder.join("out/report/index.html"));
    let junit = text(&folder.join("out/report/junit.xml"));
    assert!(page.contains("Our images are near the reference") && page.contains("elbow eval --claims claims"));
    assert!(junit.contains("<testsuite name=\"claims\" tests=\"6\"") && junit.contains("elbow.claims"), "{junit}");
    assert!(text(&folder.join("out/report/report.md")).contains("6 claims: 6 verified"));
}

#[test]
fn what_a_claim_reads_is_part_of_its_key() {
    let copy = example();
    let folder = copy.path();
    let reused = || json_of(folder, "eval --claims claims toy-cascade program-losses", 0)["reused"].clone();
    assert_eq!((reused(), reused()), (json!(0), json!(2)));
    // The same toy in other bytes.
    change(&folder.join("claims/toy.json"), "\"states\": 2", "\"states\":  2");
    assert_eq!(reused(), 0);
    change(&folder.join("claims/losses.json"), "0.9241", "0.9242");
    let result = json_of(folder, "eval --claims claims toy-cascade program-losses", 1);
    assert_eq!((verdict(&result, "program-losses"), result["reused"].as_u64()), ("refuted", Some(1)));
}

/// The commands of the README, and those of the GitHub action, in an empty clone.
#[test]
fn the_commands_of_the_readme_and_of_the_action_run_in_a_clone() {
    let copy = example();
    let folder = copy.path();
    let readme = text(&folder.join("README.md"));
    let commands: Vec<&str> = readme.lines().filter(|line| line.starts_with("elbow ")).collect();
    assert!(commands.len() >= 2, "{commands:?}");
    for line in commands {
        let arguments = line.split('#').next().unwrap_or_default().trim_start_matches("elbow ");
        let (code, _, stderr) = run(folder, arguments);
        assert_eq!(code, 0, "{line}: {stderr}");
    }
    let action = text(&root().join("action.yml"));
    let out = "artifacts/elbow";
    let step = |name: &str| -> i32 {
        let script = script_of(&action, name);
        let mut bash = command("bash", folder);
        bash.args(["-e", "-o", "pipefail", "-c", &script])
            .env("ELBOW", ELBOW)
            .env("CLAIMS", "claims")
            .env("NAMES", "all")
            .env("TIER", "fast");
        bash.env("ARGUMENTS", "").env("OUT", out).env("GITHUB_STEP_SUMMARY", folder.join("summary.md"));
        bash.output().expect("bash starts").status.code().unwrap_or(-1)
    };
    assert_eq!(["Validate", "Check", "Summarise"].map(step), [0, 0, 0]);
    assert!(text(&folder.join("summary.md")).contains("6 verified"));
    assert!(folder.join(out).join("report/junit.xml").is_file());
    change(&folder.join("claims/toy-cascade.toml"), CHANGES[0].1, CHANGES[0].2);
    assert_eq!(["Validate", "Check", "Summarise"].map(step), [0, 1, 0], "witness: a refuted claim fails the job");
}

/// The shell script of a named step of a composite action.
fn script_of(action: &str, name: &str) -> String {
    let start = action.find(&format!("- name: {name}\n")).unwrap_or_else(|| panic!("no step {name}"));
    let step = &action[start..];
    let script = &step[step.find("run: |\n").expect("a script") + "run: |\n".len()..];
    let indent = script.len() - script.trim_start().len();
    script
        .lines()
        .take_while(|line| line.len() > indent && line[..indent].trim().is_empty())
        .map(|line| &line[indent..])
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_new_claim_of_each_kind_is_valid_and_runs_in_an_empty_folder() {
    for (example, ..) in CHANGES {
        let kind = if example == "law-of-sampler" { "sampler-law" } else { example };
        let empty = tempfile::tempdir().expect("a folder");
        let folder = empty.path();
        let made = json_of(folder, &format!("claims new {kind} -o mine/first.toml"), 0);
        assert_eq!(made["file"], "mine/first.toml");
        let checked = json_of(folder, "claims validate mine", 0);
        assert_eq!((&checked["claims"][0]["suite"], &checked["claims"][0]["check"]), (&json!("mine"), &json!(kind)));
        let result = json_of(folder, "eval --claims mine first", 0);
        assert_eq!((&result["claims"][0]["suite"], result["verified"].as_u64()), (&json!("mine"), Some(1)), "{result}");
        let (code, _, stderr) = run(folder, &format!("claims new {kind} -o mine/first.toml"));
        assert!(code == 2 && stderr.contains("exists"), "{stderr}");
    }
}

#[test]
fn validation_names_all_mistakes_at_once_with_their_lines() {
    let copy = example();
    let folder = copy.path();
    let toy = folder.join("claims/toy-cascade.toml");
    change(&toy, "steps = 4", "stepz = 4\nsteps = 4");
    change(&toy, "tolerance = 1e-4", "tolerence = 1e-4");
    change(&toy, "title =", "titel = \"\"\ntitle =");
    change(&folder.join("claims/law-of-sampler.toml"), "\"sampler-law\"", "\"sampler-lew\"");
    change(&folder.join("claims/model-bound.toml"), "denoiser.toml", "nowhere.toml");
    change(&folder.join("claims/model-bound.toml"), "\"all\"", "\"al\"");
    change(&folder.join("claims/image-distance.toml"), "generated.npz", "nowhere.npz");
    change(&folder.join("claims/program-losses.toml"), "\"linear\"", "\"liniar\"");
    let result = json_of(folder, "claims validate claims", 2);
    let mistakes: Vec<String> = result["claims"]
        .as_array()
        .expect("claims")
        .iter()
        .flat_map(|claim| claim["mistakes"].as_array().expect("a list"))
        .map(|m| format!("{}; {}", m["what"].as_str().expect("words"), m["advice"].as_str().expect("words")))
        .collect();
    let expected = [
        "claims/toy-cascade.toml, line 14: unknown key stepz; did you mean steps?",
        "claims/toy-cascade.toml, line 23: unknown key tolerence; did you mean tolerance?",
        "claims/toy-cascade.toml, line 2: unknown key titel; did you mean title?",
        "claims/law-of-sampler.toml, line 6: unknown check \"sampler-lew\"; did you mean \"sampler-law\"?",
        "claims/model-bound.toml: claims/nowhere.toml: no such file or folder",
        "claims/image-distance.toml: claims/nowhere.npz: no such file or folder",
    ];
    for words in expected {
        assert!(mistakes.iter().any(|mistake| mistake.starts_with(words)), "{words}: {mistakes:#?}");
    }
    assert_eq!(mistakes.len(), 8, "what a misspelled key was meant to be is not missing: {mistakes:#?}");
    for words in ["\"al\"", "\"liniar\""] {
        assert!(mistakes.iter().any(|mistake| mistake.contains(words)), "{words}: {mistakes:#?}");
    }
    // Nothing runs while a file is wrong.
    let (code, stdout, stderr) = run(folder, "eval --claims claims");
    assert!(code == 2 && stdout.is_empty() && stderr.contains("elbow claims validate claims"), "{stderr}");
    assert!(!folder.join("out").exists());
}

#[test]
fn suites_are_folders_and_ids_are_unique() {
    let copy = example();
    let folder = copy.path();
    write(folder, "mine/bounds/one.toml", read(&folder.join("claims/toy-cascade.toml")));
    write(folder, "mine/bounds/toy.json", read(&folder.join("claims/toy.json")));
    write(folder, "mine/laws/two.toml", read(&folder.join("claims/law-of-sampler.toml")));
    write(folder, "mine/laws/toy.json", read(&folder.join("claims/toy.json")));
    let listed = json_of(folder, "eval --claims mine --list", 0);
    let suites: Vec<&str> =
        listed["claims"].as_array().expect("claims").iter().map(|c| c["suite"].as_str().expect("a name")).collect();
    assert_eq!((suites, &listed["about"]), (vec!["bounds", "laws"], &json!({ "own": 2 })));
    assert_eq!(json_of(folder, "eval --claims mine laws", 0)["claims"].as_array().expect("claims").len(), 1);
    let refusal = |file: &str, what: &str| {
        let (code, _, stderr) = run(folder, "eval --claims mine");
        assert!(code == 2 && stderr.contains(what), "{file}: {stderr}");
        std::fs::remove_file(folder.join(file)).expect("removed");
    };
    write(folder, "mine/laws/one.toml", read(&folder.join("claims/law-of-sampler.toml")));
    refusal("mine/laws/one.toml", "has the same id");
    write(folder, "mine/laws/theorem-1.toml", read(&folder.join("claims/law-of-sampler.toml")));
    refusal("mine/laws/theorem-1.toml", "theorem-1 is the name of a bundled claim");
    let written = text(&folder.join("claims/law-of-sampler.toml")).replacen("title =", "id = \"else\"\ntitle =", 1);
    write(folder, "mine/laws/three.toml", written);
    refusal("mine/laws/three.toml", "its place says \"three\"");
    json_of(folder, "eval --claims mine", 0);
    let (code, _, stderr) = run(folder, "eval --claims nowhere");
    assert!(code == 2 && stderr.contains("no such folder"), "{stderr}");
    std::fs::create_dir(folder.join("empty")).expect("a folder");
    let (code, _, stderr) = run(folder, "eval --claims empty");
    assert!(code == 2 && stderr.contains("no claim files"), "{stderr}");
}

#[test]
fn bundled_claims_are_listed_by_what_they_are_about() {
    let folder = tempfile::tempdir().expect("a folder");
    let listed = json_of(folder.path(), "eval --list", 0);
    let claims = listed["claims"].as_array().expect("claims");
    let about = |kind: &str| claims.iter().filter(|claim| claim["about"] == kind).count() as u64;
    assert_eq!(listed["about"], json!({ "paper": about("paper"), "elbow": about("elbow") }));
    assert!(about("paper") > 50 && about("elbow") > 20);
    let (_, text, _) = run(folder.path(), "eval --list theory");
    assert!(text.contains("theorem-1") && text.ends_with("of elbow itself\n"), "{text}");
    assert!(!folder.path().join("out").exists(), "nothing is written");
}

/// A TOML file as JSON.
fn toml_of(path: &Path) -> Value {
    let table: toml::Table = toml::from_str(&text(path)).expect("TOML");
    serde_json::to_value(table).expect("JSON")
}

#[test]
fn every_claim_fits_the_schema() {
    let schema = json_of(Path::new("."), "claims schema", 0);
    let fits = |claim: &Value| misfit(&schema, &schema, claim);
    let examples: Vec<PathBuf> =
        CHANGES.iter().map(|(id, ..)| root().join(format!("examples/claims-repository/claims/{id}.toml"))).collect();
    for path in &examples {
        let claim = toml_of(path);
        assert_eq!(fits(&claim), None, "{}", path.display());
        let planted = [("protocol", "stepz"), ("expect", "tolerence")];
        for (table, key) in planted {
            let mut wrong = claim.clone();
            wrong[table][key] = json!(1);
            assert!(fits(&wrong).is_some(), "witness: {key} in {}", path.display());
        }
        let mut wrong = claim.clone();
        wrong["protocol"]["check"] = json!("toy");
        assert!(fits(&wrong).is_some(), "witness: an unknown check");
    }
    // Of the bundled claims, whose kinds of checks are not for users, all but the protocol.
    let protocol = toml_of(&examples[0])["protocol"].clone();
    let bundled = elbow_tests::files::files(&root().join("eval/claims"));
    assert!(bundled.len() > 100);
    for path in bundled.iter().filter(|path| path.extension().is_some_and(|ending| ending == "toml")) {
        let mut claim = toml_of(path);
        assert!(fits(&claim).is_some(), "witness: {} has a kind of its own", path.display());
        claim["protocol"] = protocol.clone();
        assert_eq!(fits(&claim), None, "{}", path.display());
    }
}
