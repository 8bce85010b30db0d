//! Sets of images in memory.

use std::io::Cursor;
use std::path::Path;

use elbow_arrays::NpzWriter;
use elbow_base::{Tokens, atomic_file};

use crate::{Image, ImageSet, Result};

/// 8-bit images \[n, height, width, channels\].
#[derive(Clone, Debug)]
pub struct Images {
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
    /// 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    pixels: Vec<u8>,
    /// The class of each image; empty without classes.
    classes: Vec<u32>,
    source: String,
}

impl Images {
    /// Images of this height, width and number of channels; `pixels` holds whole images.
    pub fn new(pixels: Vec<u8>, [height, width, channels]: [usize; 3]) -> Self {
        assert!(pixels.len().is_multiple_of(height * width * channels), "whole images");
        Self { height, width, channels, pixels, classes: Vec::new(), source: "images in memory".to_owned() }
    }

    /// Images from token sequences: value v of V becomes the level round(255 v / (V - 1)).
    pub fn from_tokens(tokens: &Tokens, values: usize, shape: [usize; 3]) -> Self {
        let grey = |&id: &u32| (f64::from(id) * 255.0 / (values - 1) as f64).round() as u8;
        Self::new(tokens.rows().flatten().map(grey).collect(), shape)
    }

    /// The same images under this name in messages.
    pub fn named(self, source: String) -> Self {
        Self { source, ..self }
    }

    /// The same images with a class each; none for images without classes.
    pub fn labelled(self, classes: Vec<u32>) -> Self {
        assert!(classes.is_empty() || classes.len() == self.len(), "a class for each image");
        Self { classes, ..self }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.pixels.len() / self.size()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.pixels.is_empty()
    }

    fn size(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// The levels of one image \[height, width, channels\].
    pub fn pixels(&self, index: usize) -> &[u8] {
        &self.pixels[index * self.size()..(index + 1) * self.size()]
    }

    /// The images with these indices.
    pub fn select(&self, indices: &[usize]) -> Self {
        let pixels = indices.iter().flat_map(|&i| self.pixels(i)).copied().collect();
        let classes = indices.iter().filter_map(|&i| self.classes.get(i)).copied().collect();
        Self { pixels, classes, source: self.source.clone(), ..*self }
    }

    /// Writes an npz file with the array `arr_0`, uint8 \[n, height, width, channels\], and the classes `arr_1`, int64
    /// \[n\], where the images have any.
    pub fn save_npz(&self, path: &Path) -> Result<()> {
        let mut writer = NpzWriter::create(path)?;
        writer.array("arr_0", &[self.len(), self.height, self.width, self.channels], &self.pixels)?;
        if !self.classes.is_empty() {
            let classes: Vec<i64> = self.classes.iter().map(|&class| class.into()).collect();
            writer.array("arr_1", &[self.len()], &classes)?;
        }
        Ok(writer.finish()?)
    }

    /// Writes all images as one PNG with this many columns, each pixel enlarged `scale` times.
    pub fn save_grid(&self, path: &Path, columns: usize, scale: usize) -> Result<()> {
        let rows = self.len().div_ceil(columns);
        let (cell_w, cell_h) = (self.width * scale + 1, self.height * scale + 1);
        let mut grid =
            image::RgbImage::from_pixel((columns * cell_w) as u32, (rows * cell_h) as u32, image::Rgb([128; 3]));
        for index in 0..self.len() {
            let (left, top) = (index % columns * cell_w, index / columns * cell_h);
            for y in 0..self.height * scale {
                for x in 0..self.width * scale {
                    let at = ((y / scale) * self.width + x / scale) * self.channels;
                    let pixel = &self.pixels(index)[at..at + self.channels];
                    let rgb = if self.channels == 1 { [pixel[0]; 3] } else { [pixel[0], pixel[1], pixel[2]] };
                    grid.put_pixel((left + x) as u32, (top + y) as u32, image::Rgb(rgb));
                }
            }
        }
        let mut png = Cursor::new(Vec::new());
        grid.write_to(&mut png, image::ImageFormat::Png).map_err(|e| elbow_base::Error::internal(e.to_string()))?;
        Ok(atomic_file::write(path, png.get_ref())?)
    }
}

impl ImageSet for Images {
    fn source(&self) -> String {
        self.source.clone()
    }

    fn len(&self) -> usize {
        self.len()
    }

    fn image(&self, index: usize) -> Result<Image> {
        let Self { height, width, channels, .. } = *self;
        Ok(Image { height, width, channels, pixels: self.pixels(index).to_vec(), converted: Vec::new() })
    }

    fn class(&self, index: usize) -> Option<String> {
        self.classes.get(index).map(u32::to_string)
    }
}
