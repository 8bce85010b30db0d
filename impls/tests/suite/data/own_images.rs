//! Images of one's own: what is read, how it is divided, what is refused.

use std::collections::BTreeSet;
use std::path::Path;

use elbow_impls::data::{Dataset, Division, Reading, Spec, Split, catalogue};
use tempfile::TempDir;

use super::{fails, folder, rows, write};

/// A grey image of this height and width, with levels from `first` on.
fn pgm([height, width]: [usize; 2], first: u8) -> Vec<u8> {
    let pixels = (0..height * width).map(|i| first.wrapping_add(i as u8));
    format!("P5 {width} {height} 255\n").into_bytes().into_iter().chain(pixels).collect()
}

fn photos(count: u8) -> TempDir {
    let folder = folder();
    (0..count).for_each(|i| drop(write(&folder, &format!("{i:02}.pgm"), pgm([2, 3], 7 * i))));
    folder
}

fn open(path: &Path, split: Split, division: Division) -> elbow_impls::Result<Box<dyn Dataset>> {
    catalogue::open(&Spec { division, ..Spec::new(path.to_str().expect("UTF-8"), split) }, &[], &Reading::in_memory())
}

fn opened(path: &Path, split: Split) -> Box<dyn Dataset> {
    open(path, split, Division::default()).expect("images")
}

/// The images of a split, as a set.
fn images(data: &dyn Dataset) -> BTreeSet<Vec<u32>> {
    rows(data, &(0..data.len()).collect::<Vec<_>>()).into_iter().collect()
}

#[test]
fn a_folder_is_divided_by_seed_and_fraction() {
    let folder = photos(20);
    let [train, test, all] = [Split::Train, Split::Test, Split::All].map(|split| opened(folder.path(), split));
    assert_eq!((train.len(), test.len(), all.len()), (18, 2, 20));
    assert_eq!((all.values(), all.image(), all.classes(), all.length()), (256, Some([2, 3, 1]), 0, 6));
    let [ours, theirs, every] = [&train, &test, &all].map(|data| images(data.as_ref()));
    assert!(ours.is_disjoint(&theirs) && ours.union(&theirs).cloned().collect::<BTreeSet<_>>() == every);
    assert_eq!(every, (0..20).map(|i| (0..6).map(|k| 7 * i + k).collect()).collect());
    // The same again, whatever the files are called.
    let renamed = super::folder();
    (0..20).for_each(|i| drop(write(&renamed, &format!("{}/{i}.PGM", "x"), pgm([2, 3], 7 * (19 - i)))));
    for split in [Split::Train, Split::Test] {
        let (named, again) = (opened(folder.path(), split), opened(&renamed.path().join("x"), split));
        assert_eq!((images(named.as_ref()), named.hash()), (images(again.as_ref()), again.hash()));
    }
    // Another seed, another fraction: other images.
    let of = |division| images(open(folder.path(), Split::Test, division).expect("images").as_ref());
    assert_ne!(of(Division { split_seed: 1, ..Division::default() }), theirs);
    assert_eq!(of(Division { test_fraction: 0.5, ..Division::default() }).len(), 10);
    assert_eq!(of(Division { test_fraction: 0.001, ..Division::default() }).len(), 1, "one at the least");
    let hashes = [Division::default(), Division { split_seed: 1, ..Division::default() }]
        .map(|division| open(folder.path(), Split::Train, division).expect("images").hash().to_owned());
    assert_ne!(hashes[0], hashes[1]);
    // Witness: the first tenth of a folder that is sorted by class is of one class.
    assert_ne!(theirs, (0..2).map(|i| (0..6).map(|k| 7 * i + k).collect()).collect());
}

#[test]
fn folders_in_a_folder_are_classes() {
    let folder = folder();
    for i in 0..12_u8 {
        write(&folder, &format!("{}/{i}.pgm", ["cat", "dog", "owl"][usize::from(i) % 3]), pgm([2, 2], 11 * i));
    }
    let all = opened(folder.path(), Split::All);
    let every: Vec<usize> = (0..12).collect();
    for (image, label) in rows(all.as_ref(), &every).iter().zip(all.labels(&every)) {
        assert_eq!(image[0] / 11 % 3, label);
    }
    let test = opened(folder.path(), Split::Test);
    assert_eq!((test.classes(), test.len(), test.labels(&[0])[0]), (3, 1, rows(test.as_ref(), &[0])[0][0] / 11 % 3));
    // An image beside the folders has no class: then no image has one.
    write(&folder, "stray.pgm", pgm([2, 2], 200));
    assert_eq!(opened(folder.path(), Split::All).classes(), 0);
}

#[test]
fn two_places_are_not_divided_again() {
    let both = folder();
    for (i, name) in ["train/a", "train/b", "test/b"].iter().enumerate() {
        (0..3).for_each(|k| drop(write(&both, &format!("{name}/{k}.pgm"), pgm([2, 2], (30 * i + k) as u8))));
    }
    let [train, test] = [Split::Train, Split::Test].map(|split| opened(both.path(), split));
    assert_eq!((train.len(), test.len()), (6, 3));
    // Class b is number 1 in the images that train, and so in those that test.
    assert_eq!((test.classes(), test.labels(&[0, 1, 2])), (2, vec![1, 1, 1]));
    let [one, other] = ["train", "test"].map(|name| both.path().join(name));
    let named = Division { test_dataset: Some(other.display().to_string()), ..Division::default() };
    assert_eq!(images(open(&one, Split::Test, named.clone()).expect("images").as_ref()), images(test.as_ref()));
    fails(open(&other, Split::Test, named.clone()), &["is the dataset itself"]);
    write(&both, "test/c/0.pgm", pgm([2, 2], 0));
    fails(open(&one, Split::Test, named), &["c/0.pgm is of no class", "a, b"]);
    let nowhere = Division { test_dataset: Some("no/where".to_owned()), ..Division::default() };
    fails(open(&one, Split::Train, nowhere), &["no/where does not exist"]);
    std::fs::remove_dir_all(&other).expect("removable");
    fails(open(both.path(), Split::Train, Division::default()), &["the folder train and no folder test"]);
}

#[test]
fn files_of_arrays_are_divided_too() {
    let folder = folder();
    let header: Vec<u8> = [0x0803_u32, 10, 2, 2].iter().flat_map(|n| n.to_be_bytes()).collect();
    let path = write(&folder, "own-ubyte", [header, (0..40).collect()].concat());
    let [train, test, all] = [Split::Train, Split::Test, Split::All].map(|split| opened(&path, split));
    assert_eq!((train.len(), test.len(), all.len(), train.image()), (9, 1, 10, Some([2, 2, 1])));
    assert!(images(train.as_ref()).is_disjoint(&images(test.as_ref())));
    fails(open(&path, Split::Valid, Division::default()), &["unknown split \"valid\": choose one of train, test, all"]);
}

#[test]
fn folders_that_are_no_data_set_are_refused() {
    let mixed = photos(3);
    write(&mixed, "01.pgm", pgm([3, 2], 0));
    fails(open(mixed.path(), Split::All, Division::default()), &["several sizes: 00.pgm is 2x3x1, 01.pgm is 3x2x1"]);
    write(&mixed, "01.pgm", "P5 3 2 255\n");
    write(&mixed, "00.pgm", pgm([2, 3], 0));
    fails(open(mixed.path(), Split::All, Division::default()), &["1 of 3 images cannot be read: 01.pgm"]);
    fails(open(photos(1).path(), Split::Train, Division::default()), &["one image: it cannot both train and test"]);
    assert_eq!(opened(photos(1).path(), Split::All).len(), 1);
    fails(open(folder().path(), Split::Train, Division::default()), &["no images among 0 files"]);
    let text =
        Spec { alphabet: Some("bytes".to_owned()), ..Spec::new(mixed.path().to_str().expect("UTF-8"), Split::All) };
    fails(catalogue::open(&text, &[], &Reading::in_memory()), &["holds images, which have no alphabet"]);
}
