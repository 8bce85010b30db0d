use elbow_impls::data::{Dataset, Split, cifar, digits, idx};

use super::{fails, folder, gzip, rows, write};

fn idx_file(shape: &[u32], data: &[u8]) -> Vec<u8> {
    let sizes = shape.iter().flat_map(|n| n.to_be_bytes());
    [0, 0, 8, shape.len() as u8].into_iter().chain(sizes).chain(data.iter().copied()).collect()
}

#[test]
fn every_sixth_digit_is_a_test_image() {
    let folder = folder();
    let rows_of: String = (0..12).map(|i| format!("{}{i}\n", format!("{},", i + 4).repeat(64))).take(10).collect();
    let path = write(&folder, "digits.csv.gz", gzip(rows_of.as_bytes()));
    let (train, test) =
        (digits::load(&path, Split::Train).expect("whole"), digits::load(&path, Split::Test).expect("whole"));
    assert_eq!((train.len(), test.len(), train.values(), train.length()), (9, 1, 17, 64));
    assert_eq!(
        (test.name(), test.labels(&[0]), train.labels(&[8, 0])),
        ("digits:test".to_owned(), vec![5], vec![9, 0])
    );
    assert_eq!(rows(&test, &[0]), [[9; 64]]);
    for (damaged, words) in [
        ("1,2\n".to_owned(), ["row 1", "2 fields where 64 levels"]),
        ("17,".repeat(64) + "1\n", ["row 1", "level 17 is above 16"]),
        ("1,".repeat(64) + "10\n", ["row 1", "label 10 is above 9"]),
        ("1,".repeat(64) + "x\n", ["row 1", "\"x\" is not a level"]),
    ] {
        fails(digits::load(&write(&folder, "damaged.csv", damaged), Split::Train), &words);
    }
}

#[test]
fn idx_plain_and_packed_and_damaged() {
    let folder = folder();
    let (images, labels) = (idx_file(&[3, 1, 2], &[0, 1, 2, 3, 4, 255]), idx_file(&[3], &[7, 0, 9]));
    let load = |split| idx::load(folder.path(), "fashion-mnist", split);
    fails(load(Split::Test), &["t10k-images-idx3-ubyte[.gz] is missing", "put the four IDX files"]);
    write(&folder, "t10k-images-idx3-ubyte", &images);
    fails(load(Split::Test), &["t10k-labels-idx1-ubyte[.gz] is missing"]);
    write(&folder, "t10k-labels-idx1-ubyte", &labels);
    write(&folder, "train-images-idx3-ubyte.gz", gzip(&images));
    write(&folder, "train-labels-idx1-ubyte.gz", gzip(&labels));
    let (train, test) = (load(Split::Train).expect("whole"), load(Split::Test).expect("whole"));
    for data in [&train, &test] {
        assert_eq!((data.len(), data.values(), data.length(), data.classes()), (3, 256, 2, 10));
        assert_eq!((data.image(), data.labels(&[2, 0])), (Some([1, 2, 1]), vec![9, 7]));
        assert_eq!(rows(data, &[2, 0]), [[4, 255], [0, 1]]);
    }
    assert_eq!((train.name(), test.name()), ("fashion-mnist:train".to_owned(), "fashion-mnist:test".to_owned()));
    assert_ne!(train.hash(), test.hash());

    let (image_file, label_file) = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte");
    for (file, whole, damaged, words) in [
        (image_file, &images, images[..20].to_vec(), ["ends at byte 20", "22 were expected"]),
        (image_file, &images, images[..9].to_vec(), ["ends at byte 9", "header of 16"]),
        (image_file, &images, [&images[..], &[1]].concat(), ["ends at byte 23", "[3, 1, 2]"]),
        (image_file, &images, labels.clone(), ["header of 16", "images"]),
        (image_file, &images, idx_file(&[u32::MAX; 3], &[]), ["ends at byte 16", "4294967295"]),
        (image_file, &images, idx_file(&[0, 28, 28], &[]), ["byte 4: 0 images", "28x28"]),
        (image_file, &images, Vec::new(), ["images", "empty"]),
        (label_file, &labels, images.clone(), ["byte 0: magic number 00000803", "00000801 was expected"]),
        (label_file, &labels, idx_file(&[2], &[1, 2]), ["2 labels where", "holds 3 images"]),
        (label_file, &labels, idx_file(&[3], &[1, 10, 2]), ["byte 9: label 10", "above 9"]),
    ] {
        write(&folder, file, damaged);
        fails(load(Split::Test), &words);
        write(&folder, file, whole);
    }
    let packed = gzip(&images);
    for (damaged, words) in [
        (packed[..packed.len() - 9].to_vec(), ["ends early", "fetch the file again"]),
        (images.clone(), ["damaged gzip stream", "after 0 unpacked bytes"]),
    ] {
        write(&folder, "train-images-idx3-ubyte.gz", damaged);
        fails(load(Split::Train), &words);
    }
}

/// A record whose pixel p has the channels p, p + 1, p + 2 (modulo 256).
fn cifar_record(label: u8) -> Vec<u8> {
    let planes = (0..3).flat_map(|channel| (0..1024).map(move |p| (p + channel) as u8));
    [label].into_iter().chain(planes).collect()
}

#[test]
fn cifar_planes_become_pixels() {
    let folder = folder();
    let load = |split| cifar::load(folder.path(), split);
    fails(load(Split::Test), &["test_batch.bin is missing", "six .bin files"]);
    write(&folder, "test_batch.bin", [cifar_record(3), cifar_record(9)].concat());
    let test = load(Split::Test).expect("whole");
    assert_eq!((test.len(), test.length(), test.image(), test.classes()), (2, 3072, Some([32, 32, 3]), 10));
    assert_eq!((test.labels(&[0, 1]), test.name()), (vec![3, 9], "cifar10:test".to_owned()));
    assert_eq!(rows(&test, &[1])[0][..6], [0, 1, 2, 1, 2, 3]);

    for i in 1..=5 {
        write(&folder, &format!("cifar-10-batches-bin/data_batch_{i}.bin"), cifar_record(i));
    }
    assert_eq!(load(Split::Train).expect("whole").labels(&[0, 4]), [1, 5]);
    let two = [cifar_record(1), cifar_record(10)].concat();
    for (batch, damaged, words) in [
        (1, &two[..3072], ["batch_1.bin: ends at byte 3072", "inside record 0"]),
        (2, &two[..], ["batch_2.bin: ends at byte 6146", "3073 were expected"]),
        (1, &two[3073..], ["batch_1.bin: byte 0", "label 10 is above 9"]),
    ] {
        let name = format!("cifar-10-batches-bin/data_batch_{batch}.bin");
        write(&folder, &name, damaged);
        fails(load(Split::Train), &words);
        write(&folder, &name, cifar_record(1));
    }
}
