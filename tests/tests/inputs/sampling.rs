//! Samples: options, prompts, what is written.
