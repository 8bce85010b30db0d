//! Grids of small images, enlarged without smoothing, so that every pixel of a sample stays visible.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};

/// Images are enlarged to about this many pixels.
const CELL: usize = 40;
/// Room between images.
const GAP: usize = 1;
const GAP_COLOUR: Rgb<u8> = Rgb([0x98, 0xA2, 0xAD]);

/// A grid of equally sized images, as in a figure's panel.
pub struct Grid<'a> {
    pub width: usize,
    pub height: usize,
    pub channels: usize,
    pub columns: usize,
    pub images: &'a [Vec<u8>],
}

impl Grid<'_> {
    /// The grid with a thin line around each image, `density` times as large as on a page.
    pub fn draw(&self, density: usize) -> Result<RgbImage, String> {
        self.check()?;
        let scale = CELL.div_ceil(self.width.max(self.height)) * density;
        let gap = GAP * density;
        let (cell_width, cell_height) = (self.width * scale + gap, self.height * scale + gap);
        let columns = self.columns.min(self.images.len());
        let rows = self.images.len().div_ceil(self.columns);
        let mut canvas = RgbImage::from_pixel(
            u32::try_from(columns * cell_width + gap).map_err(|_| "the grid is too wide")?,
            u32::try_from(rows * cell_height + gap).map_err(|_| "the grid is too high")?,
            GAP_COLOUR,
        );
        for (index, pixels) in self.images.iter().enumerate() {
            let left = index % self.columns * cell_width + gap;
            let top = index / self.columns * cell_height + gap;
            for y in 0..self.height * scale {
                for x in 0..self.width * scale {
                    let colour = self.colour(pixels, x / scale, y / scale);
                    canvas.put_pixel((left + x) as u32, (top + y) as u32, colour);
                }
            }
        }
        Ok(canvas)
    }

    fn check(&self) -> Result<(), String> {
        let Grid { width, height, channels, columns, images } = *self;
        let bytes = width * height * channels;
        let short = images.iter().position(|image| image.len() != bytes);
        match (width.min(height), channels, columns, short) {
            (_, 0 | 2 | 4.., _, _) => Err(format!("{channels} channels where 1 or 3 can be shown")),
            (_, _, 0, _) => Err("a grid of no columns".to_owned()),
            (0, ..) => Err(format!("images of {width} by {height} pixels")),
            _ if images.is_empty() => Err("a grid of no images".to_owned()),
            (.., Some(index)) => Err(format!("image {index} has {} bytes instead of {bytes}", images[index].len())),
            _ => Ok(()),
        }
    }

    fn colour(&self, pixels: &[u8], x: usize, y: usize) -> Rgb<u8> {
        let start = (y * self.width + x) * self.channels;
        match self.channels {
            1 => Rgb([pixels[start]; 3]),
            _ => Rgb([pixels[start], pixels[start + 1], pixels[start + 2]]),
        }
    }
}

/// The bytes of a PNG file.
pub fn png(image: &RgbImage) -> Result<Vec<u8>, String> {
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, ImageFormat::Png).map_err(|error| error.to_string())?;
    Ok(file.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_enlarged_and_kept_apart() {
        let images = [vec![10, 20, 30, 40], vec![50, 60, 70, 80], vec![0, 0, 0, 255]];
        let grid = Grid { width: 2, height: 2, channels: 1, columns: 2, images: &images };
        let canvas = grid.draw(1).expect("a valid grid");
        // Two images of 2 x 20 pixels and three lines in each direction.
        assert_eq!(canvas.dimensions(), (83, 83));
        let grey = |x, y| canvas.get_pixel(x, y).0;
        assert_eq!(grey(1, 1), [10; 3]);
        assert_eq!(grey(40, 1), [20; 3]);
        assert_eq!(grey(41, 1), GAP_COLOUR.0);
        assert_eq!(grey(42, 21), [70; 3]);
        assert_eq!(grey(40, 81), [255; 3]);
        // The place of the missing fourth image.
        assert_eq!(grey(60, 60), GAP_COLOUR.0);
    }

    #[test]
    fn malformed_grids_are_refused() {
        let good = [vec![0; 12]];
        let short = [vec![0; 12], vec![0; 11]];
        let grid = |channels, columns, images| Grid { width: 2, height: 2, channels, columns, images };
        assert!(grid(3, 1, &good[..]).draw(1).is_ok());
        for (bad, reason) in [
            (grid(2, 1, &good[..]), "2 channels"),
            (grid(3, 0, &good[..]), "no columns"),
            (grid(3, 1, &[]), "no images"),
            (grid(3, 1, &short[..]), "image 1 has 11 bytes instead of 12"),
        ] {
            let error = bad.draw(1).expect_err(reason);
            assert!(error.contains(reason), "{error}");
        }
    }
}
