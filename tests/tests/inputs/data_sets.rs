//! Data sets of one's own: folders, arrays, files of images.
