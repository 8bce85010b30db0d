//! Detokenizers: corpora of separated words as running text, before a tokenizer of running text sees them.
//!
//! The rules are those that evaluations of GPT-2 share since (SEDD's and MDLM's data, lm-evaluation-harness), in their order,
//! also where they lose something: `<unk>` becomes a question mark, ` N ` a number.

use std::sync::LazyLock;

use regex::Regex;

/// A corpus by whose rules its text is put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detokenizer {
    /// WikiText-2 and -103.
    Wikitext,
    /// The Penn Treebank.
    Ptb,
    /// The One Billion Word benchmark.
    Lm1b,
    /// LAMBADA.
    Lambada,
}

crate::names!(Detokenizer, "detokenizer": Wikitext = "wikitext", Ptb = "ptb", Lm1b = "lm1b", Lambada = "lambada");

/// Patterns with their replacements, each applied to what the one before left.
type Rules = &'static [(&'static str, &'static str)];

const WIKITEXT: Rules = &[
    ("s '", "s'"),
    // Meant for years, and as published it puts the pattern itself into the text.
    ("/' [0-9]/", "/'[0-9]/"),
    (" @-@ ", "-"),
    (" @,@ ", ","),
    (r" @\.@ ", "."),
    (" : ", ": "),
    (" ; ", "; "),
    (r" \. ", ". "),
    (" ! ", "! "),
    (r" \? ", "? "),
    (" , ", ", "),
    (r"\(\s*([^)]*?)\s*\)", "(${1})"),
    (r"\[\s*([^\]]*?)\s*\]", "[${1}]"),
    (r"\{\s*([^}]*?)\s*\}", "{${1}}"),
    (r#""\s*([^"]*?)\s*""#, r#""${1}""#),
    (r"'\s*([^']*?)\s*'", "'${1}'"),
    ("= = = =", "===="),
    ("= = =", "==="),
    ("= =", "=="),
    (" \u{b0} ", "\u{b0}"),
    (" \n", "\n"),
    ("\n ", "\n"),
    (" N ", " 1 "),
    (" 's", "'s"),
];

const PTB: Rules = &[
    (" 's", "'s"),
    ("s ' ", "s' "),
    (" n't", "n't"),
    (" \n ", "\n"),
    (r"\\/", "/"),
    (" N ", " 1 "),
    // Neighbours share a blank.
    (" N ", " 1 "),
    (r"\$ 1", "$$1"),
    ("# 1", "#1"),
    ("<unk>", "?"),
];

const LM1B: Rules = &[
    ("http : / / ", "http://"),
    ("https : / / ", "https://"),
    (r" '(\w+)", "'${1}"),
    (r" (\w+) \. ", " ${1}. "),
    (r" (\w+) \.(\n?)\z", " ${1}.${2}"),
    (r" \? ", "? "),
    (r" \?(\n?)\z", "?${1}"),
    (" ! ", "! "),
    (r" !(\n?)\z", "!${1}"),
    (" , ", ", "),
    (" : ", ": "),
    (" ; ", "; "),
    (" / ", "/"),
    (r#"" ([^"]+) ""#, r#""${1}""#),
    (r"' ([^']+) '", "'${1}'"),
    (r"\( ([^()]+) \)", "(${1})"),
    (r"\[ ([^\[\]]+) \]", "[${1}]"),
    (r"\$ ", "$$"),
    ("£ ", "£"),
];

const LAMBADA: Rules = &[("[“”]", "\""), (r"\A\s*", "\n"), (r"\s*\z", "")];

impl Detokenizer {
    /// The running text of a document.
    pub fn apply(self, document: &str) -> String {
        static COMPILED: LazyLock<[Vec<(Regex, &str)>; 4]> =
            LazyLock::new(|| [WIKITEXT, PTB, LM1B, LAMBADA].map(compile));
        let rules = &COMPILED[self as usize];
        rules.iter().fold(document.to_owned(), |text, (pattern, with)| pattern.replace_all(&text, *with).into_owned())
    }
}

fn compile(rules: Rules) -> Vec<(Regex, &'static str)> {
    let regex = |pattern| Regex::new(pattern).expect("a pattern above");
    rules.iter().map(|&(pattern, with)| (regex(pattern), with)).collect()
}
