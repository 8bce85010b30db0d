//! Texts, their alphabets, and what a likelihood is over.
