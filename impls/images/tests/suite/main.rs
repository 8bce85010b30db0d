//! Sets of images: what is read, and what is refused.

mod arrays;
mod folders;
