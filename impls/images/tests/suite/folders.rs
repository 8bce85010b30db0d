//! Image files: truncated ones at every cut, kinds that are not read, and what lies beside them.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use elbow_images::{Error, Folder, ImageSet};
use image::codecs::bmp::BmpEncoder;
use image::codecs::pnm::{PnmEncoder, PnmSubtype, SampleEncoding};
use image::{ImageFormat, RgbImage};

/// 16x12 colours by formula.
fn picture() -> RgbImage {
    RgbImage::from_fn(16, 12, |x, y| image::Rgb([0, 1, 2].map(|c| (x * 37 + y * 101 + c * 59 + x * y * 7) as u8)))
}

fn encoded(format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture().write_to(&mut bytes, format).expect("memory");
    bytes.into_inner()
}

fn fixture(name: &str) -> Vec<u8> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/images").join(name);
    fs::read(place).expect("bundled")
}

/// The only image of a folder.
fn read(folder: &Path, name: &str, bytes: &[u8]) -> Result<elbow_images::Image, Error> {
    fs::write(folder.join(name), bytes).expect("writable");
    let image = Folder::open(folder)?.image(0);
    fs::remove_file(folder.join(name)).expect("there");
    image
}

#[test]
fn truncated_images_are_unreadable_at_every_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut digits = Vec::new();
    let encoder = PnmEncoder::new(&mut digits).with_subtype(PnmSubtype::Pixmap(SampleEncoding::Ascii));
    picture().write_with_encoder(encoder).expect("memory");
    let mut bmp = Vec::new();
    // Rows of 15 pixels are padded.
    let odd = image::imageops::crop_imm(&picture(), 0, 0, 15, 12).to_image();
    odd.write_with_encoder(BmpEncoder::new(&mut bmp)).expect("memory");
    let files = [
        ("a.png", encoded(ImageFormat::Png)),
        ("a.jpg", encoded(ImageFormat::Jpeg)),
        ("progressive.jpg", fixture("progressive.jpg")),
        ("a.bmp", bmp),
        ("a.webp", encoded(ImageFormat::WebP)),
        ("lossy.webp", fixture("lossy.webp")),
        ("a.tif", encoded(ImageFormat::Tiff)),
        ("lzw.tif", fixture("lzw.tif")),
        ("deflate.tiff", fixture("deflate.tiff")),
        ("a.ppm", encoded(ImageFormat::Pnm)),
        ("digits.ppm", digits),
    ];
    for (name, whole) in files {
        let image = read(folder.path(), name, &whole).unwrap_or_else(|e| panic!("{name}: {e}"));
        for length in 0..whole.len() {
            let found = read(folder.path(), name, &whole[..length]);
            assert!(found.is_err(), "{name}: cut to {length} of {} bytes", whole.len());
        }
        // What follows the end is no part of the image.
        let longer = [&whole[..], b"\nrest\n"].concat();
        if name != "digits.ppm" {
            assert_eq!(read(folder.path(), name, &longer).unwrap_or_else(|e| panic!("{name}: {e}")), image, "{name}");
        }
    }
    // Witness: the decoder alone takes a JPEG file without its end, the rest grey.
    let whole = encoded(ImageFormat::Jpeg);
    assert!((3..100).any(|cut| image::load_from_memory(&whole[..whole.len() - cut]).is_ok()));
}

#[test]
fn formats_are_read_as_pillow_reads_them() {
    let golden: serde_json::Value = serde_json::from_slice(&fixture("golden.json")).expect("JSON");
    let folder = tempfile::tempdir().expect("a folder");
    for (name, pixels) in golden.as_object().expect("files") {
        let image = read(folder.path(), name, &fixture(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let grey = image.channels == 1;
        let ours = image.pixels.iter().flat_map(|&v| std::iter::repeat_n(f64::from(v), if grey { 3 } else { 1 }));
        let theirs = pixels.as_array().expect("levels").iter().filter_map(serde_json::Value::as_f64);
        let apart: Vec<f64> = ours.zip(theirs).map(|(a, b)| (a - b).abs()).collect();
        assert_eq!(apart.len(), 12 * 16 * 3, "{name}");
        let (worst, mean) = (apart.iter().fold(0.0, |a: f64, &b| a.max(b)), apart.iter().sum::<f64>() / 576.0);
        println!("{name}: {worst}, mean {mean}");
        let frames = "only the first of several frames or pages is read";
        let several = ["frames.png", "frames.webp", "pages.tif"].contains(&name.as_str());
        assert_eq!(image.converted.contains(&frames), several, "{name}: {:?}", image.converted);
        // Decoders of JPEG round, and raise the resolution of colour, in their own ways: measured 8 levels.
        let tolerance = if name.ends_with("jpg") { 16.0 } else { 0.0 };
        assert!(worst <= tolerance, "{name}: {worst}");
    }
}

#[test]
fn files_of_other_kinds_are_counted_or_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        fs::write(path, bytes).expect("writable");
    };
    let png = encoded(ImageFormat::Png);
    let hidden =
        [".DS_Store", "Thumbs.db", "desktop.ini", "._a.png", "__MACOSX/._a.png", "__MACOSX/b.png", ".git/c.png"];
    hidden.iter().for_each(|name| put(name, &png));
    put("readme.TXT", b"P5 is a kind of image; BMP, too");
    put("labels.json", b"{}");
    let failure = Folder::open(folder.path()).err().expect("no images");
    assert!(failure.to_string().ends_with("no images among 2 files"), "{failure}");
    let good = ["a.PNG", "b.Tif", "c.jpe", "Ünï cödé/日本.png"];
    good.iter().for_each(|name| put(name, &png));
    let unread = [
        ("d.gif", &b"GIF89a"[..], "convert it to PNG"),
        ("e.HEIC", b"", "convert it to PNG"),
        ("f.svg", b"<svg/>", "convert it to PNG"),
        ("g.cr2", b"II*\0", "convert it to PNG"),
        ("h", &png, "a PNG image whose name has no ending"),
        ("i.bak", &encoded(ImageFormat::Jpeg), "a JPEG image whose name ends in .bak"),
        ("j.dat", b"\0\0\0\x20ftypavif", "AVIF"),
    ];
    unread.iter().for_each(|(name, bytes, _)| put(name, bytes));
    let set = Folder::open(folder.path()).expect("images");
    assert_eq!(set.len(), good.len() + unread.len());
    for index in 0..set.len() {
        let (name, image) = (set.name(index), set.image(index));
        match unread.iter().find(|(other, ..)| *other == name) {
            None => assert!(good.contains(&name.as_str()) && image.is_ok(), "{name}"),
            Some((_, _, why)) => {
                let failure = image.expect_err("not read").to_string();
                assert!(failure.contains(why), "{name}: {failure}");
            }
        }
    }
    let others: Vec<_> = set.reading().other_files.into_iter().collect();
    assert_eq!(others, [("json".to_owned(), 1), ("txt".to_owned(), 1)]);
}

#[cfg(unix)]
#[test]
fn names_that_are_no_text_and_links_in_circles() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().expect("a folder");
    let name = std::ffi::OsStr::from_bytes(b"\xff\xfe.png");
    fs::write(folder.path().join(name), encoded(ImageFormat::Png)).expect("writable");
    assert!(Folder::open(folder.path()).expect("a folder").image(0).is_ok());
    std::os::unix::fs::symlink(folder.path(), folder.path().join("up")).expect("writable");
    let failure = Folder::open(folder.path()).err().expect("a circle").to_string();
    assert!(failure.contains("a folder above it"), "{failure}");
}
