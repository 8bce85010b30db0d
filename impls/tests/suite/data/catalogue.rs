use std::collections::HashSet;
use std::path::PathBuf;

use elbow_impls::data::catalogue::{self, SETS, Spec};
use elbow_impls::data::{Dataset, Reading, Split};

use super::{fails, folder, gzip, rows, write};

fn open(spec: &Spec, folders: &[PathBuf]) -> elbow_impls::Result<Box<dyn Dataset>> {
    catalogue::open(spec, folders, &Reading::in_memory())
}

fn spec(set: &str, alphabet: Option<&str>, length: Option<usize>) -> Spec {
    Spec { alphabet: alphabet.map(str::to_owned), length, ..Spec::new(set, Split::Train) }
}

#[test]
fn texts_by_name_and_by_path() {
    let (empty, folder) = (folder(), folder());
    let folders = [empty.path().to_owned(), folder.path().to_owned()];
    let path = write(&folder, "text/kjv.txt.gz", gzip(&b"In the beginning ".repeat(9)));
    write(&folder, "text8/text8", b" anarchism ".repeat(9));
    for (set, name) in [("kjv", "kjv:train"), (&path.display().to_string(), "kjv:train"), ("text8", "text8:train")] {
        let data = open(&spec(set, Some("text8"), Some(3)), &folders).expect("whole");
        assert_eq!((data.name().as_str(), data.values(), data.length()), (name, 27, 3));
    }
    let data = open(&spec("text8", Some("text8"), Some(4)), &folders).expect("whole");
    assert_eq!(data.text().expect("a text").decode(&rows(data.as_ref(), &[0])[0]), " ana");

    fails(open(&spec("kjv", None, Some(3)), &folders), &["\"kjv\" needs the setting alphabet", "text8, bytes"]);
    fails(open(&spec("kjv", Some("bytes"), None), &folders), &["\"kjv\" needs the setting sequence_length"]);
    fails(open(&spec("./no.txt", Some("bytes"), Some(1)), &folders), &["./no.txt", "No such file"]);
    fails(open(&spec("./no.npz", None, None), &folders), &["./no.npz: no such file or folder"]);
    fails(open(&spec("photos/", None, None), &folders), &["photos/: no such file or folder"]);
    write(&folder, "owt/owt.txt", "text");
    fails(open(&spec("owt", Some("bytes"), Some(1)), &folders), &["owt is read with a tokenizer", "tokenizer:FILE"]);
}

#[test]
fn what_is_missing_is_named() {
    let folder = folder();
    let folders = [PathBuf::from("nowhere"), folder.path().to_owned()];
    let searched = format!("nowhere or {}", folder.path().display());
    for set in SETS {
        fails(
            open(&spec(set.name, None, None), &folders),
            &[set.name, set.places[0], &searched, "name the folder that has it"],
        );
        assert!(set.find(&folders).is_err() && !set.about.is_empty());
    }
    assert_eq!(SETS.iter().map(|set| set.name).collect::<HashSet<_>>().len(), SETS.len());
    fails(open(&spec("emnist", None, None), &folders), &["unknown data set \"emnist\"", "digits, mnist", "./FILE"]);
    fails(open(&spec("text8", None, None), &folders), &["text8/text8 or text8/text8.gz", "unpack text8.zip"]);
    write(&folder, "mnist/readme", "nothing");
    fails(open(&spec("mnist", None, None), &folders), &["train-images-idx3-ubyte[.gz] is missing"]);
    write(&folder, "cifar10/readme", "nothing");
    fails(open(&spec("cifar10", None, None), &folders), &["data_batch_1.bin is missing"]);
    write(&folder, "imagenet64/readme", "nothing");
    fails(open(&spec("imagenet64", None, None), &folders), &["train_data_batch_1.npz is missing"]);
}
