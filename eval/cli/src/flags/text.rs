//! Conventions of reading a text.

use clap::Args;
use elbow_harness::models::TextChanges;
use elbow_impls::data::detokenizer::Detokenizer;
use elbow_impls::data::text_options::Documents;

use super::one_of;

/// Conventions of reading a text.
#[derive(Args)]
pub struct TextFlags {
    /// Tokens around each window, from the tokenizer, as MDLM's: bos,eos, or their texts, as '<s>,</s>'. They count as
    /// tokens of the window and are scored
    #[arg(long, value_name = "BOS,EOS")]
    frame: Option<String>,
    /// Documents, each of which ends with EOS in place of its separator: lines, or blank (separated by blank lines)
    #[arg(long, value_name = "NAME", value_parser = one_of::<Documents>())]
    documents: Option<Documents>,
    /// Undo the separation of words by the published rules of a corpus; bits/byte stay those of the original bytes
    #[arg(long, value_name = "NAME", value_parser = one_of::<Detokenizer>())]
    detokenizer: Option<Detokenizer>,
}

impl TextFlags {
    /// The conventions that were given.
    pub fn changes(&self) -> TextChanges {
        TextChanges { frame: self.frame.clone(), documents: self.documents, detokenizer: self.detokenizer }
    }
}
