//! Files that are written: nothing that is there is lost.
