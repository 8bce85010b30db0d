//! The command line of elbow.
//!
//! | module | what |
//! |---|---|
//! | `allocator` | the memory of tensors, and of images |
//! | [`cli`] | arguments that every verb takes, dispatch, exit codes |
//! | `cmd` | the verbs, one file each: parse, call, print |
//! | `flags` | options that several verbs share, and parsers of their values |
//! | `hints` | options that repair an error of the library |

mod allocator;
pub mod cli;
mod cmd;
mod flags;
mod hints;
