//! Sets of images in files and arrays.
