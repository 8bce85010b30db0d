use std::io::Write;

use elbow_impls::data::{Dataset, Npz, Split};
use npyz::WriterBuilder;
use zip::CompressionMethod::{self, Deflated, Stored};

use super::{fails, folder, rows, write};

fn npy<T: npyz::AutoSerialize + Copy>(shape: &[u64], data: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer =
        npyz::WriteOptions::new().default_dtype().shape(shape).writer(&mut bytes).begin_nd().expect("memory");
    writer.extend(data.iter().copied()).expect("memory");
    writer.finish().expect("memory");
    bytes
}

fn npz(arrays: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        zip.start_file(format!("{name}.npy"), options).expect("memory");
        zip.write_all(bytes).expect("memory");
    }
    zip.finish().expect("memory").into_inner()
}

#[test]
fn npz_stored_and_deflated_and_of_samples() {
    let folder = folder();
    let load = |split| Npz::imagenet(folder.path(), "imagenet64", split);
    // Two images of 2x2: planes 0..4, 4..8, 8..12, and twelve more.
    let pixels: Vec<u8> = (0..24).collect();
    let batch = |method, label| npz(&[("labels", npy(&[2], &[label, 1000])), ("data", npy(&[2, 12], &pixels))], method);
    for method in [Stored, Deflated] {
        for i in 1..=10_i64 {
            write(&folder, &format!("train_data_batch_{i}.npz"), batch(method, i));
        }
        let train = load(Split::Train).expect("whole");
        assert_eq!((train.len(), train.length(), train.image(), train.classes()), (20, 12, Some([2, 2, 3]), 1000));
        assert_eq!(rows(&train, &[19])[0], [12, 16, 20, 13, 17, 21, 14, 18, 22, 15, 19, 23]);
        assert_eq!(rows(&train, &[2, 1])[0], [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
        assert_eq!((train.labels(&[0, 18, 19]), train.name()), (vec![0, 9, 999], "imagenet64:train".to_owned()));
    }
    fails(load(Split::Test), &["val_data.npz is missing"]);

    let samples = write(&folder, "samples.npz", npz(&[("arr_0", npy(&[2, 2, 2, 3], &pixels))], Stored));
    let samples = Npz::file(&samples, Split::All).expect("whole");
    assert_eq!((samples.name(), samples.classes(), samples.labels(&[0])), ("samples:all".to_owned(), 0, vec![]));
    assert_eq!((samples.image(), rows(&samples, &[1])), (Some([2, 2, 3]), vec![(12..24).collect()]));
    assert_eq!(samples.hash().len(), 64);

    let good = ("data", npy(&[2, 12], &pixels));
    let labels = |labels: &[i64]| ("labels", npy(&[labels.len() as u64], labels));
    let mut short = good.1.clone();
    short.pop();
    let whole = batch(Stored, 1);
    for (damaged, words) in [
        (whole[..whole.len() / 2].to_vec(), ["not a whole npz archive", "fetch the file again"]),
        (npz(&[("mu", npy(&[1], &[1.0]))], Stored), ["array data: not found", "the file has mu"]),
        (
            npz(&[("data", npy(&[2, 12], &[0.5; 24]))], Stored),
            ["array data: float64 from 0.5 to 0.5", "images are uint8"],
        ),
        (npz(&[("data", npy(&[2, 11], &pixels[..22]))], Stored), ["shape [2, 11]", "[n, 3 s s]"]),
        (npz(&[("data", npy(&[24], &pixels))], Stored), ["shape [24]", "[n, 3 s s]"]),
        (npz(&[("data", npy::<u8>(&[0, 12], &[]))], Stored), ["shape [0, 12]", "no images"]),
        (npz(&[("data", short.clone())], Stored), ["array data", "were expected for the shape [2, 12]"]),
        (npz(&[("data", short)], Deflated), ["array data", "were expected for the shape [2, 12]"]),
        (npz(std::slice::from_ref(&good), Stored), ["array labels", "not found"]),
        (npz(&[good.clone(), labels(&[1])], Stored), ["array labels: shape [1]", "[2] was expected"]),
        (npz(&[good.clone(), labels(&[1, 0])], Stored), ["label 0 of image 1", "1..=1000"]),
        (npz(&[good.clone(), labels(&[1, 1001])], Stored), ["label 1001", "1..=1000"]),
        (npz(&[good, ("labels", npy(&[2], &[1.5, 2.0]))], Stored), ["array labels: label 1.5", "whole numbers"]),
        (batch(Stored, 1)[..0].to_vec(), ["not a whole npz archive", "val_data.npz"]),
    ] {
        write(&folder, "val_data.npz", damaged);
        fails(load(Split::Test), &words);
    }
    let other = npz(&[("data", npy(&[1, 3], &[1_u8, 2, 3])), labels(&[1])], Stored);
    write(&folder, "train_data_batch_7.npz", other);
    fails(load(Split::Train), &["batch_7.npz: images of 1x1x3", "unlike those of"]);
}

#[test]
fn hash_of_a_file_on_disk_sees_size_and_ends() {
    let folder = folder();
    let hash = |pixels: &[u8]| {
        let bytes = npz(&[("arr_0", npy(&[1, 1024, pixels.len() as u64 / 1024, 1], pixels))], Stored);
        Npz::file(&write(&folder, "samples.npz", bytes), Split::All).expect("whole").hash().to_owned()
    };
    let mut pixels = vec![0; 3 << 20];
    let before = hash(&pixels);
    assert_eq!(hash(&pixels), before);
    // Outside of both ends, but the checksum in the directory at the end tells.
    pixels[3 << 19] = 1;
    assert_ne!(hash(&pixels), before);
}
