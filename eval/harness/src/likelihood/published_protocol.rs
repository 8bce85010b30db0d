//! Protocols of published tables by name: the choices that each sets, and what a bound has in their place.

use elbow_impls::data::Split;
use serde::Serialize;

use super::bound::Estimator;
use super::result::Bound;
use crate::models::TextChanges;

/// A protocol by the name of its authors and of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishedProtocol {
    /// MD4 on text8.
    Md4Text8,
    /// MD4 on OpenWebText.
    Md4Owt,
    /// MDLM on text8.
    MdlmText8,
    /// MDLM on OpenWebText.
    MdlmOwt,
}

elbow_impls::names!(PublishedProtocol, "protocol":
    Md4Text8 = "md4-text8", Md4Owt = "md4-owt", MdlmText8 = "mdlm-text8", MdlmOwt = "mdlm-owt",
);

/// What stands in a table, and how its number was made.
struct Entry {
    source: &'static str,
    reported: &'static str,
    /// The split that holds the data of the table.
    split: Split,
    /// The data by name, where elbow has their split.
    dataset: Option<&'static str>,
    /// Tokens per sequence, marks among them.
    dims: usize,
    /// The first sequences of the split, where batches that are not full were dropped.
    sequences: Option<usize>,
    /// The marks that can be put around windows here.
    frame: Option<&'static str>,
    /// Choices under the names of [`Bound::protocol`]: the whole text of one, or its end.
    choices: &'static [(&'static str, &'static str)],
    /// Choices that do not show in a bound.
    unseen: &'static [(&'static str, &'static str)],
}

/// Choices of both tables of MD4 [google-deepmind/md4: models/diffusion/md4.py].
const MD4: [(&str, &str); 5] = [
    ("objective", "md4"),
    ("schedule", "md4:linear"),
    ("steps", "continuous time"),
    ("reconstruction", "length (1 - alpha(0)) ln V, included"),
    ("prior", "left out"),
];

/// Choices of both tables of MDLM [kuleshov-group/mdlm: diffusion.py, dataloader.py].
const MDLM: [(&str, &str); 7] = [
    ("objective", "mdlm"),
    ("protocol", "published"),
    ("schedule", "loglinear"),
    ("times", "[1e-3, 1], mean over the interval"),
    ("prior", "left out"),
    ("frame", FRAME),
    ("documents", DOCUMENTS),
];

const FRAME: &str = "around each window, scored too";
const DOCUMENTS: &str = "each ends with EOS in place of its separator";
/// In the place of a choice that was not made.
const NONE: &str = "none";
const WEIGHTS: (&str, &str) = ("weights", "a moving average of rate 0.9999");
const GROUPS: (&str, &str) = ("windows", "cut within groups of 1,000 documents, whose last tokens are dropped");

impl PublishedProtocol {
    fn entry(self) -> Entry {
        match self {
            Self::Md4Text8 => Entry {
                source: "Shi et al. 2024, text8; google-deepmind/md4, configs/md4/text8.py and input_pipeline.py",
                reported: "at most 1.37 bits per character",
                split: Split::Test,
                dataset: Some("text8:test"),
                dims: 256,
                // 19,531 windows in batches of 512.
                sequences: Some(38 * 512),
                frame: None,
                choices: &MD4,
                unseen: &[WEIGHTS],
            },
            Self::Md4Owt => Entry {
                source: "Shi et al. 2024, OpenWebText; google-deepmind/md4, prepare_openwebtext_data.py",
                reported: "22.13 perplexity per token (small), 16.64 (medium)",
                split: Split::All,
                dataset: None,
                dims: 1024,
                sequences: None,
                frame: None,
                choices: &[MD4[0], MD4[1], MD4[2], MD4[3], MD4[4], ("documents", DOCUMENTS)],
                unseen: &[
                    (
                        "split",
                        "2 % of the windows of every 10,000 documents, shuffled without a seed: nobody has them again",
                    ),
                    ("tokenizer", "GPT-2's, 50,257 tokens"),
                    WEIGHTS,
                ],
            },
            Self::MdlmText8 => Entry {
                source: "kuleshov-group/mdlm, configs/data/text8.yaml and dataloader.py; the number as later papers cite it",
                reported: "at most 1.40 bits per token, of which more than one in a hundred is a mark",
                split: Split::Test,
                dataset: Some("text8:test"),
                dims: 256,
                sequences: None,
                // The alphabet of text8 has no marks here.
                frame: None,
                choices: &MDLM,
                unseen: &[("documents", "the 256 characters of each chunk"), GROUPS, WEIGHTS],
            },
            Self::MdlmOwt => Entry {
                source: "Sahoo et al. 2024, OpenWebText; kuleshov-group/mdlm, dataloader.py and scripts/eval_owt_T_mdlm.sh",
                reported: "23.21 perplexity per token",
                split: Split::All,
                dataset: None,
                dims: 1024,
                sequences: None,
                frame: Some("bos,eos"),
                choices: &MDLM,
                unseen: &[
                    ("split", "the last 100,000 documents"),
                    ("tokenizer", "GPT-2's, 50,257 tokens"),
                    GROUPS,
                    WEIGHTS,
                    ("precision", "bfloat16"),
                ],
            },
        }
    }

    /// The split that it is about, `all` where that is a file of its own.
    pub fn split(self) -> Split {
        self.entry().split
    }

    /// How a text is read, as far as elbow can without knowing how its documents are separated.
    pub fn text(self) -> TextChanges {
        TextChanges { frame: self.entry().frame.map(str::to_owned), ..TextChanges::default() }
    }

    /// Draws per sequence.
    pub fn draws(self) -> u32 {
        1
    }

    /// The estimator, where it was left to elbow.
    pub fn estimator(self, asked: Estimator) -> Estimator {
        if asked == Estimator::Auto { Estimator::Objective } else { asked }
    }

    /// The number of sequences, from the first on; none: all.
    pub fn sequences(self) -> Option<usize> {
        self.entry().sequences
    }

    /// A bound's choices beside the published ones.
    pub fn beside(self, bound: &Bound) -> ProtocolComparison {
        let entry = self.entry();
        let count = entry.sequences.map(|count| ("sequences", count.to_string(), bound.sequences.to_string()));
        let all = (
            "sequences",
            "all".to_owned(),
            if bound.sequences == bound.available {
                "all".to_owned()
            } else {
                format!("{} of {}", bound.sequences, bound.available)
            },
        );
        let settings = [
            entry.dataset.map(|name| ("data", name.to_owned(), bound.dataset.clone())),
            Some(count.unwrap_or(all)),
            Some(("tokens per sequence", entry.dims.to_string(), bound.dims.to_string())),
            Some(("estimator", "objective".to_owned(), bound.estimator.clone())),
            Some(("draws", self.draws().to_string(), bound.draws.to_string())),
        ];
        let settings = settings.into_iter().flatten().map(|(name, published, here)| {
            let verdict = if here == published { Verdict::Same } else { Verdict::Differs };
            ProtocolChoice { name, published, here: Some(here), verdict }
        });
        // Windows of ids are what they are: how their text was read does not show.
        let of_text = ["frame", "documents", "detokenizer"];
        let is_text = bound.text.is_some();
        let unnamed = of_text.into_iter().filter(|name| !entry.choices.iter().any(|(known, _)| known == name));
        let choices = entry.choices.iter().copied().chain(unnamed.map(|name| (name, NONE)));
        let choices = choices.map(|(name, published)| {
            let here = bound.protocol.get(name).map_or(NONE, String::as_str);
            let verdict = match of_text.contains(&name) && !is_text {
                true => Verdict::NotChecked,
                false if is_end(here, published) => Verdict::Same,
                false => Verdict::Differs,
            };
            let here = (verdict != Verdict::NotChecked).then(|| here.to_owned());
            ProtocolChoice { name, published: published.to_owned(), here, verdict }
        });
        let unseen = entry.unseen.iter().map(|&(name, published)| ProtocolChoice {
            name,
            published: published.to_owned(),
            here: None,
            verdict: Verdict::NotChecked,
        });
        ProtocolComparison {
            name: self.to_string(),
            source: entry.source,
            reported: entry.reported,
            choices: settings.chain(choices).chain(unseen).collect(),
        }
    }
}

/// Whether a choice is the published one, or ends with its words.
fn is_end(here: &str, published: &str) -> bool {
    here.strip_suffix(published).is_some_and(|before| before.is_empty() || before.ends_with(' '))
}

/// The choices behind a published number, and those of a bound.
#[derive(Clone, Debug, Serialize)]
pub struct ProtocolComparison {
    /// The protocol.
    pub name: String,
    /// The paper, and the files of its code.
    pub source: &'static str,
    /// The number of the table with its unit.
    pub reported: &'static str,
    /// Every choice.
    pub choices: Vec<ProtocolChoice>,
}

/// A choice behind a published number.
#[derive(Clone, Debug, Serialize)]
pub struct ProtocolChoice {
    /// What is chosen.
    pub name: &'static str,
    /// The published choice.
    pub published: String,
    /// The choice behind the bound, where it shows.
    pub here: Option<String>,
    /// Whether they are the same.
    pub verdict: Verdict,
}

/// How a choice relates to the published one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is the published one.
    Same,
    /// It is another one.
    Differs,
    /// It does not show in what elbow is given.
    NotChecked,
}

impl ProtocolComparison {
    /// The comparison in words: what differs, and what only the caller can know.
    pub fn describe(&self) -> String {
        let mut lines = vec![format!("protocol {}: {} ({})", self.name, self.reported, self.source)];
        let of = |verdict| self.choices.iter().filter(move |choice| choice.verdict == verdict);
        lines.extend(of(Verdict::Differs).map(|choice| {
            let here = choice.here.as_deref().unwrap_or(NONE);
            format!("  differs in {}: published {}; here {here}", choice.name, choice.published)
        }));
        if of(Verdict::Differs).next().is_none() {
            lines.push("  no choice that shows differs".to_owned());
        }
        lines.extend(
            of(Verdict::NotChecked).map(|choice| format!("  not checked, {}: {}", choice.name, choice.published)),
        );
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use elbow_base::Estimate;

    use super::super::result::{TextRates, TextUnits};
    use super::*;

    fn bound(protocol: PublishedProtocol) -> Bound {
        let entry = protocol.entry();
        let number = Estimate { value: 1.4, standard_error: 0.01, n: 4 };
        let rates = TextRates { characters_per_token: 1.0, bytes_per_token: 1.0, lost: None };
        let sequences = entry.sequences.unwrap_or(7) as u64;
        let whole = |(name, end): &(&str, &str)| match *name {
            "frame" => ((*name).to_owned(), format!("[BOS],[EOS] {end}")),
            "documents" => ((*name).to_owned(), format!("blank, {end}")),
            _ => ((*name).to_owned(), (*end).to_owned()),
        };
        Bound {
            dataset: entry.dataset.unwrap_or("owt:all").to_owned(),
            sequences,
            available: sequences,
            dims: entry.dims,
            tokens_scored: sequences * entry.dims as u64,
            tokens_dropped: 0,
            draws: 1,
            target: None,
            estimator: "objective".to_owned(),
            protocol: entry.choices.iter().map(whole).collect::<BTreeMap<_, _>>(),
            nats: number,
            bits_per_dim: number,
            perplexity: number,
            text: Some(TextUnits::of(&number, &rates)),
            reconstruction: 0.0,
            prior: 0.0,
            diffusion: number,
            per_sequence: Vec::new(),
        }
    }

    fn differing(protocol: PublishedProtocol, bound: &Bound) -> Vec<&'static str> {
        let choices = protocol.beside(bound).choices;
        choices.iter().filter(|choice| choice.verdict == Verdict::Differs).map(|choice| choice.name).collect()
    }

    const ALL: [PublishedProtocol; 4] = [
        PublishedProtocol::Md4Text8,
        PublishedProtocol::Md4Owt,
        PublishedProtocol::MdlmText8,
        PublishedProtocol::MdlmOwt,
    ];

    #[test]
    fn a_bound_by_the_protocol_differs_in_nothing_that_shows() {
        for protocol in ALL {
            assert!(
                differing(protocol, &bound(protocol)).is_empty(),
                "{protocol}: {:?}",
                protocol.beside(&bound(protocol))
            );
            let told = protocol.beside(&bound(protocol)).describe();
            assert!(told.contains("no choice that shows differs") && told.contains("not checked, weights"), "{told}");
        }
    }

    #[test]
    fn every_choice_that_differs_is_named() {
        for protocol in ALL {
            let right = bound(protocol);
            let cases: [(&str, Bound); 5] = [
                ("tokens per sequence", Bound { dims: 128, ..right.clone() }),
                ("estimator", Bound { estimator: "k-dce".to_owned(), ..right.clone() }),
                ("draws", Bound { draws: 8, ..right.clone() }),
                ("sequences", Bound { sequences: 2, ..right.clone() }),
                ("detokenizer", with(&right, "detokenizer", "ptb; bits/char and bits/byte over the text before it")),
            ];
            for (name, changed) in cases {
                assert_eq!(differing(protocol, &changed), [name], "{protocol}");
            }
            for &(name, _) in protocol.entry().choices {
                let mut changed = right.clone();
                changed.protocol.remove(name);
                assert_eq!(differing(protocol, &changed), [name], "{protocol}: left out");
                assert_eq!(differing(protocol, &with(&right, name, "other")), [name], "{protocol}");
            }
        }
        // The end of another name is not the name.
        let right = bound(PublishedProtocol::Md4Text8);
        assert_eq!(differing(PublishedProtocol::Md4Text8, &with(&right, "objective", "genmd4")), ["objective"]);
        let other = Bound { dataset: "text8:valid".to_owned(), ..right };
        assert_eq!(differing(PublishedProtocol::Md4Text8, &other), ["data"]);
        let told = PublishedProtocol::Md4Text8.beside(&other).describe();
        assert!(told.contains("differs in data: published text8:test; here text8:valid"), "{told}");
    }

    #[test]
    fn how_windows_of_ids_were_read_is_not_known() {
        let ids = Bound { text: None, ..bound(PublishedProtocol::MdlmOwt) };
        let choices = PublishedProtocol::MdlmOwt.beside(&ids).choices;
        let frame = choices.iter().find(|choice| choice.name == "frame").expect("a choice");
        assert!(frame.verdict == Verdict::NotChecked && frame.here.is_none(), "{frame:?}");
    }

    fn with(bound: &Bound, name: &str, choice: &str) -> Bound {
        let mut changed = bound.clone();
        changed.protocol.insert(name.to_owned(), choice.to_owned());
        changed
    }
}
