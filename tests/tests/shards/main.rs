//! One work by several processes, put together: the bytes of one process.

mod launchers;
mod refusals;
mod unfinished;
mod verbs;
mod work;
