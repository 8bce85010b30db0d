//! Images in files.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use elbow_metrics::{Folder, ImageSet};
use image::{DynamicImage, GrayAlphaImage, GrayImage, ImageFormat, RgbImage, RgbaImage};

use super::containers::png;
use super::mutations::{Mutation, bytes, text};
use super::runner::Format;

/// Reads the one image in the folder of this file.
fn read(path: &Path) -> bool {
    let folder = path.parent().expect("a folder");
    Folder::open(folder).and_then(|folder| folder.image(0)).is_ok()
}

fn level(i: usize) -> u8 {
    (i * i * 37 + i * 11) as u8
}

/// Small images of one and three channels, with and without transparency.
fn small() -> [DynamicImage; 4] {
    let (width, height) = (9, 7);
    let levels = |channels: usize| (0..63 * channels).map(level).collect::<Vec<u8>>();
    [
        GrayImage::from_raw(width, height, levels(1)).expect("63 levels").into(),
        RgbImage::from_raw(width, height, levels(3)).expect("63 pixels").into(),
        GrayAlphaImage::from_raw(width, height, levels(2)).expect("63 pixels").into(),
        RgbaImage::from_raw(width, height, levels(4)).expect("63 pixels").into(),
    ]
}

/// The images that the format can hold.
fn encoded(format: ImageFormat) -> Vec<Vec<u8>> {
    let encode = |image: DynamicImage| {
        let mut file = Cursor::new(Vec::new());
        image.write_to(&mut file, format).is_ok().then(|| file.into_inner())
    };
    let files: Vec<_> = small().into_iter().filter_map(encode).collect();
    assert!(!files.is_empty());
    files
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(elbow_tests::root().join("fixtures/photos").join(name)).expect("bundled")
}

fn fuzz(name: &str, file: &str, mutations: &[Mutation], valid: &[Vec<u8>]) {
    Format { name, file, mutations }.fuzz(valid, read);
}

#[test]
fn png_files() {
    let bundled = ["grey.png", "grey16.png", "palette.png", "rgba.png"].map(|name| fixture(&format!("odd/{name}")));
    let valid = [encoded(ImageFormat::Png), bundled.into()].concat();
    fuzz("png", "current.png", &[png, png, bytes], &valid);
}

#[test]
fn jpeg_files() {
    let valid = ["jpeg/flower-small.jpg", "jpeg/flower-small-444.jpg", "odd/cmyk.jpg"].map(fixture);
    fuzz("jpeg", "current.jpg", &[bytes], &valid);
}

#[test]
fn webp_files() {
    fuzz("webp", "current.webp", &[bytes], &encoded(ImageFormat::WebP));
}

#[test]
fn tiff_files() {
    // The content decides, and not the ending.
    fuzz("tiff", "current.png", &[bytes], &encoded(ImageFormat::Tiff));
}

#[test]
fn bmp_files() {
    fuzz("bmp", "current.bmp", &[bytes], &encoded(ImageFormat::Bmp));
}

#[test]
fn pnm_files() {
    let ascii = [b"P1\n3 2\n1 0 1\n0 1 0\n".to_vec(), b"P3\n# colours\n2 1\n255\n1 2 3 4 5 6\n".to_vec()];
    let maps = [b"P5 3 1 255 abc".to_vec(), b"P6\n1 2\n65535\n123456abcdef".to_vec()];
    fuzz("pnm", "current.ppm", &[bytes, text], &[ascii, maps].concat());
}
